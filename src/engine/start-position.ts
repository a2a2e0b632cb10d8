import { NOT_RECORDED } from '../journal/block-rows.ts';
import { isFenced } from '../platform/fenced.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { bookWithoutRecords, type WorkerPorts, type WorkerSettings } from './book-batch.ts';
import { DAY_MS } from './open-batch.ts';
import { recoverLane } from './recovery.ts';

/** Where a topic begins that nothing is booked of. */
export interface StartPosition {
  /** All partitions of the topic, in any order. Asked for at every start. */
  logs(): Promise<readonly TopicPartition[]>;
  /** The offset to begin with, by partition. Asked for once, when nothing is booked yet. */
  offsets(): Promise<ReadonlyMap<number, number>>;
}

/**
 * Books where each partition of the topic begins, before any record of it is read: so a restart before the first batch skips
 * nothing. Partition 0 is the last one: once the journal knows it, the first start is done, and a partition that the journal
 * does not know was added since and is read from its beginning. Of two engines that start at once, the first one decides.
 */
export async function bookStartPosition(
  { logs, offsets }: StartPosition,
  ports: Pick<WorkerPorts, 'journal' | 'retry' | 'clock' | 'rules'>,
  settings: Pick<WorkerSettings, 'pseudonymKey' | 'duplicateWindowRecords'>,
): Promise<void> {
  const descending = [...(await logs())].sort((a, b) => b.partition - a.partition);
  const heads = await Promise.all(descending.map(({ lane }) => ports.journal.head(lane)));
  // Records are read only after the first start is done, or before there was a start position at all.
  const isRead = heads.some(({ topic, position }) => topic !== '' && position > 0);
  if (isRead || heads.at(-1)?.topic !== '') return;
  const begin = await offsets();
  for (const log of descending) {
    if (await isKnown(log, ports)) continue;
    try {
      await bookStart(log, begin.get(log.partition) ?? 0, ports, settings);
    } catch (error) {
      // Another engine has booked in the lane meanwhile: its start position, or a record behind it.
      if (!isFenced(error) || !(await isKnown(log, ports))) throw error;
    }
  }
}

async function isKnown({ lane }: TopicPartition, { journal }: Pick<WorkerPorts, 'journal'>): Promise<boolean> {
  return (await journal.head(lane)).topic !== '';
}

async function bookStart(
  log: TopicPartition,
  offset: number,
  ports: Pick<WorkerPorts, 'journal' | 'retry' | 'clock' | 'rules'>,
  settings: Pick<WorkerSettings, 'pseudonymKey' | 'duplicateWindowRecords'>,
): Promise<void> {
  const today = Math.floor(ports.clock.nowMs() / DAY_MS);
  const state = await recoverLane(ports.journal, log.lane, { ...settings, horizonDay: today });
  await bookWithoutRecords(
    { reason: 'start_position', log, firstOffset: 0, lastOffset: offset - 1, publishedThrough: NOT_RECORDED },
    state,
    today,
    ports,
  );
}
