import { existsSync } from 'node:fs';
import { type PublishedEnd, readQuotaFile, readQuotaState } from '../../journal/read-quota-state.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { isTopicMissing } from '../../platform/kafka/kafka-failure.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { quotaUpdateSchema } from '../assembly/assemble-source.ts';
import { connect } from '../assembly/kafka-connection.ts';

/** Of each partition of the quota topic: what the lanes have published last is among them. */
const TAIL_RECORDS = 1000;

/**
 * Rejects with `journal_restored` where a quota update is published of a record that the journal does not have: the journal is
 * older than its updates, such as a copy that was restored. Updates that cannot be read are warned of. What is published is read
 * before the journal, so that what other engines book meanwhile makes no difference.
 */
export async function requireNewestJournal(config: Config, store: Store, logger: Logger): Promise<void> {
  const published = await publishedEnds(config, logger);
  if (published.length === 0) return;
  const rows = await store.query<{ topic: string; partition: number; last: number }>(
    "SELECT topic, partition, max(offset) AS last FROM journal WHERE kind = 'batch' GROUP BY topic, partition",
  );
  const booked = new Map(rows.map(({ topic, partition, last }) => [`${topic}-${partition}`, Number(last)]));
  const ahead = published.find(({ topic, partition, offset }) => offset > (booked.get(`${topic}-${partition}`) ?? -1));
  if (ahead === undefined) return;
  const log = `${ahead.topic}-${ahead.partition}`;
  const message =
    `the journal is older than its quota updates: one is published of ${log}, record ${ahead.offset}, and the journal has ` +
    `${booked.get(log) ?? 'none'} as the last one. It is a restored copy, or another store. Restore a newer copy, or run once with ` +
    '--accept-restored: the records after it are read again from the source and booked again (docs/operate/backup.md)';
  throw new StoreError('journal_restored', message);
}

async function publishedEnds(config: Config, logger: Logger): Promise<PublishedEnd[]> {
  const { source, quotaUpdates } = config;
  try {
    if (quotaUpdates.file !== undefined) {
      if (!existsSync(quotaUpdates.file)) return [];
      return [...(await readQuotaFile(quotaUpdates.file)).ends.values()];
    }
    if (source.kafka === undefined) return [];
    const kafka = connect(source.kafka, logger);
    const { topic } = quotaUpdates;
    const { ends } = await readQuotaState({ kafka, topic, schema: quotaUpdateSchema(), tailRecords: TAIL_RECORDS });
    const { topic: read } = source.kafka;
    return [...ends.values()].filter((end) => end.topic.replace(/~\d+$/, '') === read);
  } catch (error) {
    // The topic is created later, by the first engine.
    if (isTopicMissing(error)) return [];
    logger.warn(
      { err: error },
      'quota updates cannot be read: whether the journal is older than they are is not known',
    );
    return [];
  }
}
