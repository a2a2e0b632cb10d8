import { requireKnown } from '../journal/migrate.ts';
import type { Config } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { openEmbeddedStore } from '../platform/embedded-store.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import { developmentKey, parsePseudonymKey } from '../platform/pseudonym-key.ts';
import { openServerStore } from '../platform/server-store.ts';
import type { Store } from '../platform/store.ts';

/**
 * Opens the configured store. `create: false`: only one that is there already, and only for reading unless told otherwise.
 * One that a newer program has brought up to date is refused, whatever it is opened for: its figures may mean something else.
 */
export async function openStore(
  config: Config['store'],
  { create, readOnly = !create }: { create: boolean; readOnly?: boolean },
): Promise<Store> {
  const mode = { create, readOnly };
  const store =
    config.dir !== undefined
      ? await openEmbeddedStore(config.dir, mode)
      : await openServerStore({ ...config, password: config.password?.reveal() ?? '' }, mode);
  try {
    await requireKnown(store, packagePath('schemas/clickhouse'));
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The configured pseudonym key, or the embedded store's development key, which is announced when it is made. */
export async function pseudonymKey(config: Pick<Config, 'pseudonymKey' | 'store'>, logger: Logger): Promise<Buffer> {
  if (config.pseudonymKey !== null) return parsePseudonymKey(config.pseudonymKey.reveal(), 'pseudonymKey');
  const { dir } = config.store;
  if (dir === undefined)
    throw new ConfigError('pseudonymKey: a ClickHouse server needs one; set ZERORATE_PSEUDONYM_KEY');
  const { key, path, isNew } = await developmentKey(dir);
  if (isNew) {
    logger.warn(
      { path },
      'made a development key for the pseudonyms of subscribers; set ZERORATE_PSEUDONYM_KEY for production',
    );
  }
  return key;
}
