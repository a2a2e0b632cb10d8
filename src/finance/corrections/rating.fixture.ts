import type { Store } from '../../platform/clickhouse/store.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { FlowBatch, FlowRecord } from '../../rating/flow-record.ts';
import { isCharged } from '../../rating/outcome.ts';
import { Rules } from '../../rating/rules.ts';
import { asValue, rateValues, TEST_CATALOGUE, testLane } from '../../rating/traffic.fixture.ts';
import { CurrentCharges, type Decision } from './current-charges.ts';
import { type PeriodRange, RerateLane } from './rerate-lane.ts';

/** All periods. */
export const ALL_PERIODS: PeriodRange = { fromDay: 0, toDay: 65_535 };

/** A current charge row, with a plan's name instead of a code. */
export interface ChargeRow extends Omit<Decision, 'plan' | 'application'> {
  record: FlowRecord;
  applicationId: string;
  contentType: number;
  planId: string;
  planVersion: number;
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

function chargeRow(batch: FlowBatch, row: number, record: FlowRecord, { catalogue }: Rules): ChargeRow {
  const { id, version } = catalogue.plans[batch.plan[row]];
  return {
    record,
    applicationId: catalogue.applications[batch.application[row]].id,
    contentType: batch.contentType[row],
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
      const after = charges.after(index);
      if (after === null) throw new Error('a current charge was not rated again');
      const { plan, application, ...decision } = after;
      const { planId, version } = charges.plans.at(plan);
      rerated.push({
        ...row,
        ...decision,
        applicationId: charges.names.list[application],
        planId,
        planVersion: version,
      });
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
  records.uplinkOctets[at] = row.record.uplinkOctets;
  records.downlinkOctets[at] = row.record.downlinkOctets;
  charges.hasCharge[at] = 1;
  charges.evidence[at] = row.evidence;
  charges.applicationName[at] = charges.names.numberOf(row.applicationId);
  charges.isInRange[at] = row.periodStart >= range.fromDay && row.periodStart < range.toDay ? 1 : 0;
  charges.plan[at] = charges.plans.codeOf(row.planId, row.planVersion);
  charges.periodStart[at] = row.periodStart;
  charges.reason[at] = row.reason;
  charges.sponsoredOctets[at] = row.sponsoredOctets;
  charges.chargeMicros[at] = row.chargeMicros;
  charges.usedOctetsAfter[at] = row.usedOctetsAfter;
  charges.carryAfter[at] = row.carryAfter;
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
