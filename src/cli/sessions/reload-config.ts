import { ConfigError } from '../../platform/config/config-error.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { ConfigReloadOutcome } from '../../platform/telemetry/reload-metrics.ts';

export interface ConfigReload {
  file: string;
  logger: Logger;
  /**
   * Reads the configuration and takes over what may change while the process runs. Returns the fields that changed and count from
   * the next start only, and whether anything was taken over. Throws a ConfigError before anything was.
   */
  apply: () =>
    | { taken: boolean; nextStart: readonly string[] }
    | Promise<{ taken: boolean; nextStart: readonly string[] }>;
  onReloaded: (outcome: ConfigReloadOutcome) => void;
}

/** Reloads the configuration of a companion. A file with faults changes nothing: the log has them. Never rejects for a fault of the file. */
export async function reloadConfig({ file, logger, apply, onReloaded }: ConfigReload): Promise<void> {
  try {
    const { taken, nextStart } = await apply();
    if (nextStart.length > 0) {
      logger.warn(
        { file, fields: nextStart },
        'fields of the configuration were changed that count from the next start',
      );
    }
    logger.info({ file }, taken ? 'the configuration was reloaded' : 'the configuration is as it was');
    onReloaded(taken ? 'taken' : 'unchanged');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const faults = error.message.split('\n');
    logger.error({ faults }, `the configuration was not reloaded, the one before is used: ${faults[0]}`);
    onReloaded('refused');
  }
}

/** The names of the fields whose values differ. */
export function changedFields<T extends object>(before: T, after: T, names: readonly (keyof T & string)[]): string[] {
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
