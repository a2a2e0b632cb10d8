import { quotaUpdateSchema } from '../../engine/assembly/assemble-source.ts';
import { connect, requireBrokers } from '../../engine/assembly/kafka-connection.ts';
import { readQuotaFile, readQuotaState } from '../../journal/read-quota-state.ts';
import type { Config } from '../../platform/config/config.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { QuotaUpdate } from '../../rating/quota-updates.ts';

/** What consumers of the configured quota updates end with: one that keeps the last of each key, one that keeps the newest. */
export async function quotaStates(
  { source, quotaUpdates }: Config,
  logger: Logger,
): Promise<ReadonlyMap<string, QuotaUpdate>[]> {
  const { topic, file } = quotaUpdates;
  if (file !== undefined) {
    const { byVersion } = await readQuotaFile(file);
    return [byVersion];
  }
  if (source.kafka === undefined) return [];
  await requireBrokers(source.kafka, topic);
  const kafka = connect(source.kafka, logger);
  const { byCompaction, byVersion } = await readQuotaState({ kafka, topic, schema: quotaUpdateSchema() });
  return [byCompaction, byVersion];
}
