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
  // Not beyond the head: what another engine books meanwhile makes this copy a fenced one, not a torn one.
  await lane.restoreIdentities(journal.seen(name, fromOrdinal, head.position));
  return { lane, head, horizonDay: options.horizonDay };
}

/** Late records count in periods whose counters may not be in memory. */
export async function reachBackTo(
  day: number,
  journal: Pick<Journal, 'counters'>,
  name: string,
  recovered: RecoveredLane,
): Promise<void> {
  const { lane, horizonDay } = recovered;
  if (day >= horizonDay) return;
  await lane.restoreCounters(journal.counters(name, day, horizonDay));
  recovered.horizonDay = day;
}

/**
 * The updates of the lane's last batch once more: a crash between booking and publishing may have lost them. All earlier
 * ones were published before that batch was booked.
 */
export async function lastQuotaUpdates(
  journal: Pick<Journal, 'moves' | 'counters'>,
  name: string,
  recovered: RecoveredLane,
  catalogue: Catalogue,
): Promise<QuotaUpdate[]> {
  const { lane, head } = recovered;
  if (head.sequence === 0) return [];
  const moves = await journal.moves(name, head.sequence);
  // Whether a period is a subscriber's newest one only the counters since then can tell.
  const earliest = moves.reduce((day, { periodStart }) => Math.min(day, periodStart), NO_DAY);
  await reachBackTo(earliest, journal, name, recovered);
  const updates: QuotaUpdate[] = [];
  for (const move of moves) {
    const plan = catalogue.plans.find(({ id, version }) => id === move.planId && version === move.planVersion);
    // A plan that the catalogue has dropped since has no quota that anyone could use.
    if (plan === undefined || plan.quotaOctets === Number.POSITIVE_INFINITY) continue;
    const subscriber = lane.subscribers.ofPseudonym(Buffer.from(move.subscriber, 'hex'));
    updates.push(...quotaUpdates([{ ...move, subscriber, plan }], lane, catalogue, move));
  }
  return updates;
}
