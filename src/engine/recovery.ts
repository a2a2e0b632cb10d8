import type { Catalogue } from '../billing/catalogue.ts';
import { quotaUpdates } from '../billing/derive-quota-updates.ts';
import { Lane } from '../billing/lane.ts';
import type { QuotaUpdate } from '../billing/quota-update.ts';
import type { Journal, LaneHead } from '../journal/journal.ts';

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
  journal: Pick<Journal, 'head' | 'counters' | 'seen' | 'moves'>,
  name: string,
  options: { pseudonymKey: Uint8Array; duplicateWindowRecords: number; horizonDay: number },
): Promise<RecoveredLane> {
  const lane = new Lane(options);
  const head = await journal.head(name);
  lane.position = head.position;
  const fromOrdinal = Math.max(0, head.position - options.duplicateWindowRecords);
  await lane.restoreCounters(journal.counters(name, options.horizonDay, NO_DAY));
  await lane.restoreIdentities(journal.seen(name, fromOrdinal));
  return { lane, head, horizonDay: options.horizonDay };
}

/**
 * The updates of the lane's last batch once more: a crash between booking and publishing may have lost them. All earlier
 * ones were published before that batch was booked.
 */
export async function lastQuotaUpdates(
  journal: Pick<Journal, 'moves'>,
  name: string,
  { lane, head }: RecoveredLane,
  catalogue: Catalogue,
): Promise<QuotaUpdate[]> {
  if (head.sequence === 0) return [];
  const updates: QuotaUpdate[] = [];
  for (const move of await journal.moves(name, head.sequence)) {
    const plan = catalogue.plans.find(({ id, version }) => id === move.planId && version === move.planVersion);
    // A plan that the catalogue has dropped since has no quota that anyone could use.
    if (plan === undefined || plan.quotaOctets === Number.POSITIVE_INFINITY) continue;
    const subscriber = lane.subscribers.ofPseudonym(Buffer.from(move.subscriber, 'hex'));
    updates.push(...quotaUpdates([{ ...move, subscriber, plan }], lane, catalogue, move));
  }
  return updates;
}
