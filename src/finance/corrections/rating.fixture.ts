import type { Store } from '../../platform/clickhouse/store.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { FlowBatch, FlowRecord } from '../../rating/flow-record.ts';
import { isCharged } from '../../rating/outcome.ts';
import { Rules } from '../../rating/rules.ts';
import { asValue, rateValues, TEST_CATALOGUE, testLane } from '../../rating/traffic.fixture.ts';
import { CurrentCharges, DECIDED, type Decision } from './current-charges.ts';
import { type PeriodRange, RerateLane } from './rerate-lane.ts';

/** All periods. */
export const ALL_PERIODS: PeriodRange = { fromDay: 0, toDay: 65_535 };

/** A charge with names instead of codes. */
export interface NamedCharge extends Omit<Decision, 'plan' | 'application'> {
  applicationId: string;
  planId: string;
  planVersion: number;
}

/** A current charge row. */
export interface ChargeRow extends NamedCharge {
  record: FlowRecord;
  contentType: number;
}

export function rulesOf(catalogue: string): Rules {
  const parsed = parseCatalogue(catalogue, 'test.yaml');
  if (parsed.catalogue === undefined) throw new Error(JSON.stringify(parsed.faults));
  return new Rules(parsed.catalogue);
}

/** Returns the test catalogue with some of its text replaced; throws where a text is missing. */
export function changedCatalogue(...changes: readonly [from: string, to: string][]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the test catalogue has no ${from}`);
    return text.replaceAll(from, to);
  }, TEST_CATALOGUE);
}

/** Returns the charge rows that the engine would book of records, in order, in one batch. */
export function chargeRows(records: readonly FlowRecord[], rules: Rules): ChargeRow[] {
  const { batch } = rateValues(records.map(asValue), testLane(), rules);
  return records.flatMap((record, row) => (isCharged(batch.reason[row]) ? [chargeRow(batch, row, record, rules)] : []));
}

function chargeRow(batch: FlowBatch, row: number, record: FlowRecord, rules: Rules): ChargeRow {
  return { record, contentType: batch.contentType[row], ...chargeOf(batch, row, rules) };
}

/** Returns the charge that a record of a batch was rated with. */
export function chargeOf(batch: FlowBatch, row: number, { catalogue }: Rules): NamedCharge {
  const { id, version } = catalogue.plans[batch.plan[row]];
  return {
    applicationId: catalogue.applications[batch.application[row]].id,
    evidence: batch.evidence[row],
    planId: id,
    planVersion: version,
    periodStart: batch.periodStart[row],
    reason: batch.reason[row],
    sponsoredOctets: batch.sponsoredOctets[row],
    chargeMicros: batch.chargeMicros[row],
    usedOctetsAfter: batch.usedOctetsAfter[row],
    carryAfter: batch.carryAfter[row],
  };
}

/** Takes a record's current charge. */
export function takeCharge(
  charges: CurrentCharges,
  row: number,
  charge: NamedCharge,
  { fromDay, toDay }: PeriodRange,
): void {
  charges.hasCharge[row] = 1;
  charges.isInRange[row] = charge.periodStart >= fromDay && charge.periodStart < toDay ? 1 : 0;
  charges.applicationName[row] = charges.names.numberOf(charge.applicationId);
  charges.plan[row] = charges.plans.codeOf(charge.planId, charge.planVersion);
  for (const name of DECIDED) charges[name][row] = charge[name];
}

/** Returns the charge of re-rating; null: it charges the record no more, or not at all. */
export function chargeAfter(charges: CurrentCharges, row: number): NamedCharge | null {
  const after = charges.after(row);
  if (after === null) return null;
  const { plan, application, ...decision } = after;
  const { planId, version } = charges.plans.at(plan);
  return { ...decision, applicationId: charges.names.list[application], planId, planVersion: version };
}

/** Re-rates rows of one lane, so many at a time, as `rerate` does with what it reads; returns only those in range. */
export function rerateRows(
  rows: readonly ChargeRow[],
  rules: Rules,
  range = ALL_PERIODS,
  atOnce = 1000,
): { rows: ChargeRow[]; changed: number; lane: RerateLane } {
  const lane = new RerateLane(rules, range);
  const charges = new CurrentCharges(atOnce);
  const rerated: ChargeRow[] = [];
  let changed = 0;
  for (let at = 0; at < rows.length; at += atOnce) {
    const chunk = rows.slice(at, at + atOnce);
    charges.records.clear();
    for (const row of chunk) take(charges, row, lane, rules, range);
    lane.rate(charges);
    chunk.forEach((row, index) => {
      if (charges.isInRange[index] === 0) return;
      const after = chargeAfter(charges, index);
      if (after === null) throw new Error('a current charge was not rated again');
      rerated.push({ ...row, ...after });
      if (charges.isChanged(index)) changed++;
    });
  }
  return { rows: rerated, changed, lane };
}

function take(charges: CurrentCharges, row: ChargeRow, lane: RerateLane, rules: Rules, range: PeriodRange): void {
  const { records } = charges;
  const at = records.count++;
  records.application[at] = rules.catalogue.applications.findIndex(({ id }) => id === row.applicationId);
  records.subscriber[at] = lane.subscribers.ofPseudonym(Buffer.from(row.record.servedMsisdn.padStart(16, '0')));
  records.contentType[at] = row.contentType;
  records.startTimeMs[at] = row.record.startTime;
  records.endTimeMs[at] = row.record.endTime;
  records.uplinkOctets[at] = row.record.uplinkOctets;
  records.downlinkOctets[at] = row.record.downlinkOctets;
  takeCharge(charges, at, row, range);
}

/** Returns a store that calls `happens` just before the first insert of a correction. */
export function meanwhile(store: Store, happens: () => Promise<unknown>): Store {
  let hasHappened = false;
  return {
    ...store,
    async insertBlock(insert, ...block) {
      if (!hasHappened && insert('').startsWith('INSERT INTO corrections')) {
        hasHappened = true;
        await happens();
      }
      return store.insertBlock(insert, ...block);
    },
  };
}
