import { NOT_RECORDED } from '../journal/block-rows.ts';
import type { Journal, LaneHead } from '../journal/journal.ts';
import type { CatalogueTerms } from '../rating/catalogue.ts';
import { Lane } from '../rating/lane.ts';
import { QuotaAnnouncer, type QuotaUpdates, type ReachedThresholds } from '../rating/quota-updates.ts';
import type { PseudonymKey } from '../rating/subscribers.ts';

/** A lane as the journal has it. Counters of periods that begin before `horizonDay` are not in memory. */
export interface RecoveredLane {
  lane: Lane;
  head: LaneHead;
  horizonDay: number;
  /** Where quota updates may wait: says which of them must not. */
  reached?: ReachedThresholds;
}

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

/** A batch is booked while the one before is being published: so many a crash can leave unpublished at the least. */
const UNPUBLISHED_BATCHES = 2;

/**
 * What a crash between booking and publishing may have lost: the newest update of every counter that a batch moved after those
 * that the lane's last batch says were published, and of the last two in any case. One group for each log.
 */
export async function unpublishedUpdates(
  journal: Pick<Journal, 'moves' | 'counters'>,
  name: string,
  recovered: RecoveredLane,
  catalogue: CatalogueTerms,
): Promise<QuotaUpdates[]> {
  const { sequence, publishedThrough } = recovered.head;
  const beforeLast = Math.max(0, sequence - UNPUBLISHED_BATCHES);
  const after = publishedThrough === NOT_RECORDED ? beforeLast : Math.min(publishedThrough, beforeLast);
  const moves = sequence === 0 ? [] : await journal.moves(name, after, sequence);
  if (moves.length === 0) return [];
  const { lane } = recovered;
  // Whether a period is a subscriber's newest one only the counters since then show.
  const earliest = moves.reduce((day, { periodStart }) => Math.min(day, periodStart), NO_DAY);
  await reachBackTo(earliest, journal, name, recovered);
  // A plan that the catalogue has dropped since has no quota that anyone could use.
  const terms = termsByVersion(catalogue);
  const known = moves.flatMap((move) => {
    const moved = terms.get(`${move.planId} ${move.planVersion}`);
    const planPeriod = lane.planPeriods.numberOf(move.planId, move.periodStart);
    return moved === undefined ? [] : [{ ...move, ...moved, planPeriod }];
  });
  for (const { effectiveFromMs, planPeriod } of known) lane.planPeriods.noteVersionFrom(planPeriod, effectiveFromMs);
  const byLog = new Map<string, typeof known>();
  for (const move of known) {
    const log = `${move.topic}-${move.partition}`;
    const ofLog = byLog.get(log) ?? [];
    byLog.set(log, ofLog);
    ofLog.push(move);
  }
  return [...byLog.values()].map((ofLog) => {
    const announcer = new QuotaAnnouncer(ofLog.length, lane, catalogue, ofLog[0]);
    for (const { subscriber, index, isFurther, planPeriod, usedOctets, offset } of ofLog) {
      const who = lane.subscribers.ofPseudonym(Buffer.from(subscriber, 'hex'));
      if (isFurther) announcer.announceFurther(who, index, planPeriod, usedOctets, offset);
      else announcer.announce(who, index, planPeriod, usedOctets, offset);
    }
    return announcer.updates;
  });
}

/** Returns the places of plans and further quotas in the catalogue, by `id version`: they share one name space. */
function termsByVersion({ plans, furtherQuotas }: CatalogueTerms) {
  const placesOf = (list: readonly { id: string; version: number; effectiveFromMs: number }[], isFurther: boolean) =>
    list.map(
      ({ id, version, effectiveFromMs }, index) => [`${id} ${version}`, { index, isFurther, effectiveFromMs }] as const,
    );
  return new Map([...placesOf(plans, false), ...placesOf(furtherQuotas, true)]);
}

/** Counters of periods that began this many days ago and later are in memory; older ones are read when a record needs them. */
export const OPEN_DAYS = 40;
export interface MemorySettings {
  pseudonymKey: PseudonymKey;
  duplicateWindowRecords: number;
}
