import type { Catalogue } from '../billing/catalogue.ts';
import { quotaUpdates } from '../billing/derive-quota-updates.ts';
import { Lane } from '../billing/lane.ts';
import type { QuotaUpdate } from '../billing/quota-update.ts';
import type { JournalReader, LaneHead } from './journal-reader.ts';
import type { LogBounds, TopicPartition } from './ports.ts';
import { SourceError } from './source-error.ts';

/** Later than any period's first day. */
const NO_DAY = 65536;

/** A lane as the journal has it. Counters of periods that begin before `horizonDay` are not in memory. */
export interface RecoveredLane {
  lane: Lane;
  head: LaneHead;
  horizonDay: number;
}

/** Reads back all that rating needs to go on: where the lane stands, its open counters, the identities in its window. */
export async function recoverLane(
  reader: JournalReader,
  name: string,
  options: { pseudonymKey: Uint8Array; duplicateWindowRecords: number; horizonDay: number },
): Promise<RecoveredLane> {
  const lane = new Lane(options);
  const head = await reader.head(name);
  lane.position = head.position;
  await loadCounters(reader, name, lane, options.horizonDay, NO_DAY);
  const fromOrdinal = Math.max(0, head.position - options.duplicateWindowRecords);
  for await (const { ordinal, nodeId, sequence, fingerprint } of reader.seen(name, fromOrdinal)) {
    lane.duplicates.see(ordinal, lane.nodes.numberOf(nodeId), sequence, fingerprint);
  }
  return { lane, head, horizonDay: options.horizonDay };
}

/** Brings the counters of the periods that begin in [fromDay, toDay) into memory. */
export async function loadCounters(reader: JournalReader, name: string, lane: Lane, fromDay: number, toDay: number) {
  for await (const { subscriber, planId, periodStart, usedOctets, carry } of reader.counters(name, fromDay, toDay)) {
    const planPeriod = lane.planPeriods.numberOf(planId, periodStart);
    const slot = lane.counters.open(lane.subscribers.ofPseudonym(subscriber), planPeriod);
    lane.counters.usedOctets[slot] = usedOctets;
    lane.counters.carry[slot] = carry;
  }
}

/**
 * The updates of the lane's last batch once more: a crash between booking and publishing may have lost them. All earlier
 * ones were published before that batch was booked.
 */
export async function lastQuotaUpdates(
  reader: JournalReader,
  name: string,
  { lane, head }: RecoveredLane,
  catalogue: Catalogue,
): Promise<QuotaUpdate[]> {
  if (head.sequence === 0) return [];
  const updates: QuotaUpdate[] = [];
  for (const move of await reader.moves(name, head.sequence)) {
    const plan = catalogue.plans.find(({ id, version }) => id === move.planId && version === move.planVersion);
    // A plan that the catalogue has dropped since has no quota that anyone could use.
    if (plan === undefined || plan.quotaOctets === Number.POSITIVE_INFINITY) continue;
    const subscriber = lane.subscribers.ofPseudonym(Buffer.from(move.subscriber, 'hex'));
    updates.push(...quotaUpdates([{ ...move, subscriber, plan }], lane, catalogue, move));
  }
  return updates;
}

/**
 * The offset to go on from. The log must still have it: records that retention took before they were booked are lost, and
 * a log that ends below the cursor is another log. Both halt the engine; nothing is skipped.
 */
export function nextOffset(log: TopicPartition, cursor: number, bounds: LogBounds | null): number {
  const next = cursor + 1;
  if (bounds === null) return next;
  const name = `${log.topic}-${log.partition}`;
  if (bounds.endOffset < next) {
    throw new SourceError(
      'topic_recreated',
      `${name}: the log ends at ${bounds.endOffset}, but records up to ${cursor} are booked: the topic was made anew. ` +
        'Give the new topic another name',
      { path: name },
    );
  }
  // The first batch of all begins where the log does.
  if (cursor < 0) return bounds.startOffset;
  if (bounds.startOffset > next) {
    throw new SourceError(
      'records_lost',
      `${name}: records ${next} to ${bounds.startOffset - 1} were deleted before they were booked. ` +
        'Restore them, or book under another topic name',
      { path: name },
    );
  }
  return next;
}
