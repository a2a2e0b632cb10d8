import type { Catalogue } from '../billing/catalogue.ts';
import { Lane } from '../billing/lane.ts';
import { QuotaAnnouncer } from '../billing/quota-announcer.ts';
import { QuotaUpdates } from '../billing/quota-updates.ts';
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
): Promise<QuotaUpdates> {
  const { lane, head } = recovered;
  const { plans } = catalogue;
  if (head.sequence === 0) return new QuotaUpdates(0);
  const moves = await journal.moves(name, head.sequence);
  if (moves.length === 0) return new QuotaUpdates(0);
  // Whether a period is a subscriber's newest one only the counters since then can tell.
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
