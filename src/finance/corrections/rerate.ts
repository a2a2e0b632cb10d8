import { requireAccountCurrency } from '../../journal/account-currencies.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { Catalogue, Sponsor } from '../../rating/catalogue.ts';
import type { PlanPeriod } from '../../rating/rate.ts';
import type { Rules } from '../../rating/rules.ts';
import type { SubscriberTable } from '../../rating/subscribers.ts';
import { dayText } from '../calendar-day.ts';
import { CampaignRules } from './batch-campaigns.ts';
import { CurrentCharges } from './current-charges.ts';
import { Difference } from './difference.ts';
import { type ChargeSelection, cutSpans, readSpans, rowsOf } from './log-spans.ts';
import { readCurrentCharges } from './read-current-charges.ts';
import { type PeriodRange, RerateLane } from './rerate-lane.ts';
import { FROM_SOURCE, readUnratable } from './unratable-plans.ts';

/** Offsets in memory at once, besides the counters of one lane. */
export const OFFSETS_AT_ONCE = 100_000;

export interface ReratingWatch {
  /** Called with a record whose charge changes. The columns are valid during the call. */
  onChange?: (charges: CurrentCharges, row: number, subscribers: SubscriberTable) => void;
  onProgress?: (records: number) => void;
}

/**
 * Re-rates a sponsor's current charge rows with a catalogue, and books nothing. All records of the periods that begin in the
 * range are rated, in lane order, with counters that start from 0, and with the campaign facts of their batches.
 *
 * Throws a ConfigError where the result would not be exact or would move money to another account: another currency, an
 * application of another sponsor, a range that holds a part of a period only, conditions on what the rows do not keep.
 */
export async function rerate(
  store: Store,
  rules: Rules,
  selection: ChargeSelection,
  { onChange, onProgress }: ReratingWatch = {},
): Promise<Difference> {
  const sponsor = sponsorIn(rules.catalogue, selection.sponsorId);
  await requireAccountCurrency(store, sponsor);
  const unratable = await readUnratable(store, rules.catalogue.canonicalJson, selection.range);
  const own = unratable.find(({ sponsorId }) => sponsorId === selection.sponsorId);
  if (own !== undefined) throw new ConfigError(`${own.reason}: ${FROM_SOURCE}`);
  const rows = rowsOf(selection);
  const charges = new CurrentCharges(OFFSETS_AT_ONCE);
  const difference = new Difference(charges.plans);
  const applicationIndex = applicationIndexes(rules.catalogue);
  const campaignRules = new CampaignRules(store, rules);
  let laneName: string | null = null;
  let lane = new RerateLane(rules, selection.range);
  for (const span of cutSpans(await readSpans(store, rows), OFFSETS_AT_ONCE)) {
    if (span.lane !== laneName) {
      refuseTornPeriods(lane.tornPeriods(), selection.range);
      [laneName, lane] = [span.lane, new RerateLane(rules, selection.range)];
    }
    const { subscribers } = lane;
    await readCurrentCharges(store, rows, span, { applicationIndex, subscribers }, charges);
    refuseOtherAccounts(charges, rules.catalogue, sponsor);
    lane.rate(charges, await campaignRules.of(span, charges));
    for (let row = 0; row < charges.records.count; row++) {
      if (charges.isInRange[row] === 0) continue;
      difference.add(charges, row);
      if (charges.isChanged(row)) onChange?.(charges, row, subscribers);
    }
    onProgress?.(difference.records);
  }
  refuseTornPeriods(lane.tornPeriods(), selection.range);
  return difference;
}

export function applicationIndexes({ applications }: Catalogue): Map<string, number> {
  return new Map(applications.map(({ id }, index) => [id, index]));
}

/** Returns the sponsor in a catalogue. Throws a ConfigError where there is none of this id. */
export function sponsorIn({ sponsors }: Catalogue, sponsorId: string): Sponsor {
  const sponsor = sponsors.find(({ id }) => id === sponsorId);
  if (sponsor !== undefined) return sponsor;
  throw new ConfigError(`the catalogue has no sponsor ${sponsorId}; it has ${sponsors.map(({ id }) => id).join(', ')}`);
}

/** Throws a ConfigError where charges would move to another account. All of them are the sponsor's. */
export function refuseOtherAccounts(
  charges: CurrentCharges,
  { applications, sponsors }: Catalogue,
  sponsor: Sponsor,
): void {
  const { records, isInRange } = charges;
  for (let row = 0; row < records.count; row++) {
    if (isInRange[row] === 0) continue;
    const application = applications[records.application[row]];
    if (application !== undefined && sponsors[application.sponsor] !== sponsor) {
      throw new ConfigError(
        `application ${application.id} is ${sponsors[application.sponsor].id}’s in the catalogue and was charged to ` +
          `${sponsor.id}: re-rating cannot move charges to another account, so keep its sponsor`,
      );
    }
  }
}

/** Throws a ConfigError where the range holds only a part of a period. */
export function refuseTornPeriods([period]: readonly PlanPeriod[], range: PeriodRange): void {
  if (period !== undefined) throw new ConfigError(tornPeriodText(period, range));
}

/** Returns why a range cannot be re-rated that holds a part of a period. */
export function tornPeriodText(period: PlanPeriod, { fromDay, toDay }: PeriodRange): string {
  return (
    `from ${dayText(fromDay)} to ${dayText(toDay)} is only a part of the period of plan ${period.planId} that begins on ` +
    `${dayText(period.periodStart)}: a period is re-rated as a whole, because its counter needs all of its records; choose a range ` +
    'that begins and ends where the booked periods and those of the catalogue do'
  );
}
