import type { Catalogue } from './catalogue.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { Lane } from './lane.ts';
import { isCharged } from './outcome.ts';
import { QuotaAnnouncer } from './quota-announcer.ts';
import type { QuotaUpdates } from './quota-updates.ts';
import type { TopicPartition } from './topic-partition.ts';

/**
 * One update for each quota counter that the batch moved, with the state after the batch's last record, to be published
 * once the batch is booked. Has to follow the batch's rating: the counters know the row that moved them last.
 */
export function deriveQuotaUpdates(
  batch: FlowBatch,
  lane: Lane,
  catalogue: Catalogue,
  log: Pick<TopicPartition, 'topic' | 'partition'>,
): QuotaUpdates {
  const { counters, planPeriods } = lane;
  const moved = new Uint32Array(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) {
    if (!isCharged(batch.reason[row])) continue;
    const counter = batch.counter[row];
    planPeriods.noteVersionFrom(counters.planPeriod(counter), catalogue.plans[batch.plan[row]].effectiveFromMs);
    if (counters.lastRow(counter) === row) moved[count++] = row;
  }
  const announcer = new QuotaAnnouncer(count, lane, catalogue, log);
  for (let at = 0; at < count; at++) {
    const row = moved[at];
    const planPeriod = counters.planPeriod(batch.counter[row]);
    announcer.announce(
      batch.subscriber[row],
      batch.plan[row],
      planPeriod,
      batch.usedOctetsAfter[row],
      batch.offset[row],
    );
  }
  return announcer.updates;
}
