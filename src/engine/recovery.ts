import type { BookedMove, Journal } from '../journal/journal.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { Lane } from '../rating/lane.ts';
import { QuotaAnnouncer, type QuotaUpdates } from '../rating/quota-updates.ts';
import type { PseudonymKey } from '../rating/subscribers.ts';
import type { RecoveredLane } from './open-batch.ts';

/** Later than any period's first day. */
const NO_DAY = 65536;

/** Reads back all that rating needs to continue: the lane's last batch, its open counters, the identities in its window. */
export async function recoverLane(
  journal: Pick<Journal, 'head' | 'counters' | 'seen' | 'moves'>,
  name: string,
  options: { pseudonymKey: PseudonymKey; duplicateWindowRecords: number; horizonDay: number },
): Promise<RecoveredLane> {
  const lane = new Lane(options);
  const head = await journal.head(name);
  lane.position = head.position;
  const fromOrdinal = Math.max(0, head.position - options.duplicateWindowRecords);
  await lane.restoreCounters(journal.counters(name, options.horizonDay, NO_DAY));
  // Not beyond the head: what another engine books meanwhile makes this copy a fenced one, not a torn one.
  await lane.restoreIdentities(journal.seen(name, fromOrdinal, head.position), fromOrdinal);
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

/** A batch is booked while the one before is being published: so many a crash can leave unpublished. */
const UNPUBLISHED_BATCHES = 2;

/**
 * The updates of the lane's last batches once more, in the order of the batches: a crash between booking and publishing may
 * have lost them. All earlier ones were published before the last batch was booked.
 */
export async function lastQuotaUpdates(
  journal: Pick<Journal, 'moves' | 'counters'>,
  name: string,
  recovered: RecoveredLane,
  catalogue: Catalogue,
): Promise<QuotaUpdates[]> {
  const { sequence } = recovered.head;
  const published: BookedMove[][] = [];
  const known = new Set<string>();
  for (let batch = sequence; batch > Math.max(0, sequence - UNPUBLISHED_BATCHES); batch--) {
    const moves = await journal.moves(name, batch);
    // Where a later batch has moved a counter again, that is what is left.
    published.unshift(moves.filter((move) => !known.has(counterOf(move))));
    for (const move of moves) known.add(counterOf(move));
  }
  const updates: QuotaUpdates[] = [];
  for (const moves of published) {
    if (moves.length > 0) updates.push(await quotaUpdatesOf(moves, journal, name, recovered, catalogue));
  }
  return updates;
}

function counterOf({ subscriber, planId, periodStart }: BookedMove): string {
  return `${subscriber} ${periodStart} ${planId}`;
}

/** Updates of moves of one log. */
async function quotaUpdatesOf(
  moves: readonly BookedMove[],
  journal: Pick<Journal, 'counters'>,
  name: string,
  recovered: RecoveredLane,
  catalogue: Catalogue,
): Promise<QuotaUpdates> {
  const { lane } = recovered;
  const { plans } = catalogue;
  // Whether a period is a subscriber's newest one only the counters since then show.
  const earliest = moves.reduce((day, { periodStart }) => Math.min(day, periodStart), NO_DAY);
  await reachBackTo(earliest, journal, name, recovered);
  // A plan that the catalogue has dropped since has no quota that anyone could use.
  const known = moves.flatMap((move) => {
    const plan = plans.findIndex(({ id, version }) => id === move.planId && version === move.planVersion);
    return plan < 0 ? [] : [{ ...move, plan, planPeriod: lane.planPeriods.numberOf(move.planId, move.periodStart) }];
  });
  for (const { plan, planPeriod } of known) lane.planPeriods.noteVersionFrom(planPeriod, plans[plan].effectiveFromMs);
  const announcer = new QuotaAnnouncer(known.length, lane, catalogue, moves[0]);
  for (const { subscriber, plan, planPeriod, usedOctets, offset } of known) {
    const index = lane.subscribers.ofPseudonym(Buffer.from(subscriber, 'hex'));
    announcer.announce(index, plan, planPeriod, usedOctets, offset);
  }
  return announcer.updates;
}

/** Counters of periods that began this many days ago and later are in memory; older ones are read when a record needs them. */
export const OPEN_DAYS = 40;
export interface MemorySettings {
  pseudonymKey: PseudonymKey;
  duplicateWindowRecords: number;
}
