import { minorDigitsOf } from '../../rating/catalogue/currencies.ts';
import { DaysOfUse } from '../closing/plan-time-zones.ts';
import { isLate } from '../closing/settlement.ts';
import type { ExportedRow } from './exported-row.ts';
import { dueDateOf, type Invoice } from './invoice.ts';
import { MerkleTree } from './merkle.ts';
import { type BilledUsage, billTerms } from './monthly-terms.ts';
import {
  digestOfBatches,
  LISTED_BATCHES,
  statementDue,
  sumOf,
  tierAmountMicros,
  totalsOf,
} from './statement-arithmetic.ts';
import type { Settlement, Statement, StatementCorrection, StatementLine, StatementTier } from './statement-document.ts';
import { type ItemNames, NotDerived } from './statement-fields.ts';
import { TierCheck } from './verify-tiers.ts';

type LineKey = Pick<StatementLine, 'applicationId' | 'planId' | 'planVersion' | 'usageMonth'>;
type CorrectionKey = Pick<StatementCorrection, 'number' | 'usageMonth'>;

/** Names of the items of a statement’s arrays; others are identified by their place. */
export const ITEM_NAMES: ItemNames = {
  lines: lineName,
  corrections: ({ number, usageMonth }: CorrectionKey) => `${number}, ${usageMonth}`,
  byDay: ({ day }: { day: string }) => day,
  byApplication: ({ applicationId }: { applicationId: string }) => applicationId,
  byContentType: ({ contentType }: { contentType: string }) => contentType,
};

export function lineName({ applicationId, planId, planVersion, usageMonth }: LineKey): string {
  return `${applicationId}, ${planId} version ${planVersion}, ${usageMonth}`;
}

/**
 * Returns what `compareFields` expects of a statement: each field that its rows, its other fields or the previous statement
 * derive. Without rows, what follows from the other fields.
 */
export function expectedStatement(
  statement: Statement,
  rows: StatementRows | null,
  previous: Statement | null,
): object {
  const { sponsor, totals, proof, invoice } = statement;
  const fromRows = rows?.expected(statement);
  const openingMicros = previous?.totals.closingMicros ?? null;
  const opening = openingMicros ?? totals.openingMicros;
  const due = statement.due === null ? null : statementDue(statement, opening, sponsor.minorDigits);
  const monthlyTerms = expectedTerms(statement, rows);
  return {
    ...fromRows,
    ...(monthlyTerms !== null && { monthlyTerms }),
    format: 'zerorate-statement-1',
    sponsor: { ...fromRows?.sponsor, minorDigits: decimalsOf(sponsor.currency) },
    totals: {
      ...totalsOf(statement, opening, sponsor.minorDigits, statement.isClosed ? due : null),
      ...(openingMicros === null && {
        openingMicros: new NotDerived('it is the closing balance of the previous statement; give that with --previous'),
      }),
    },
    due,
    invoice: invoice === null ? null : { dueDate: expectedDueDate(invoice) },
    proof: { ...fromRows?.proof, rowForm: 'zerorate-row-1', batches: expectedBatches(proof.batches) },
  };
}

/** Without rows an application's charges are not derived: what its terms bill follows from those that the statement has. */
function expectedTerms({ monthlyTerms, lines, corrections }: Statement, rows: StatementRows | null): object[] | null {
  if (monthlyTerms === undefined) return null;
  const usage = [...lines, ...corrections];
  const all = {
    sponsoredOctets: sumOf(usage, ({ sponsoredOctets }) => sponsoredOctets),
    chargeMicros: sumOf(usage, ({ chargeMicros }) => chargeMicros),
  };
  const usageOf = (applicationId: string | null) => {
    if (applicationId === null) return all;
    if (rows !== null) return rows.usageOf(applicationId);
    return monthlyTerms.find((terms) => terms.applicationId === applicationId) ?? all;
  };
  const noRows = new NotDerived('no rows were given');
  return billTerms(monthlyTerms, usageOf).map((terms) =>
    rows !== null || terms.applicationId === null ? terms : { ...terms, sponsoredOctets: noRows, chargeMicros: noRows },
  );
}

function expectedDueDate({ issueDate, termsDays }: Invoice): string | null {
  return issueDate === null ? null : dueDateOf({ issueDate, termsDays });
}

function decimalsOf(currency: string): number | NotDerived {
  try {
    return minorDigitsOf(currency);
  } catch {
    return new NotDerived(`${currency} is no currency of ISO 4217`);
  }
}

function expectedBatches({ list, count }: Statement['proof']['batches']): object {
  if (list !== null) return { count: list.length, digest: digestOfBatches(list) };
  const tooMany = new NotDerived('there are too many batches to list');
  // A shorter list would be present: then its digests are missing.
  return { count: tooMany, digest: tooMany, list: count > LISTED_BATCHES ? null : 'a list' };
}

/** Rows added up as the parts of a statement are. */
export class StatementRows {
  readonly #tree = new MerkleTree();
  readonly #month: string;
  readonly #daysOfUse: DaysOfUse;
  readonly #settlements: readonly Settlement[];
  readonly #tiers: ReadonlyMap<string, TierCheck>;
  readonly #lines = new GroupedSums<LineKey>();
  readonly #corrections = new GroupedSums<CorrectionKey>();
  readonly #days = new GroupedSums<{ day: string }>();
  readonly #applications = new GroupedSums<{ applicationId: string }>();
  readonly #contentTypes = new GroupedSums<{ contentType: string }>();
  readonly #late = { records: 0, sponsoredOctets: 0n, chargeMicros: 0n };
  readonly #billedApplications = new Map<string, BilledUsage>();
  #hasOwnMonth = false;
  #first: ExportedRow | null = null;

  constructor({ month, lines, timeZones, completeness }: Statement) {
    this.#settlements = completeness.lateRecords.settlements;
    this.#month = month;
    this.#daysOfUse = new DaysOfUse(timeZones);
    this.#tiers = new Map(lines.map((line) => [lineName(line), new TierCheck(line)]));
  }

  /** Adds the leaf of any row. */
  addLeaf(leaf: Uint8Array): void {
    this.#tree.add(leaf);
  }

  /** Adds a row that the statement covers. Returns what is wrong with its charge by the tiers of its line, or null. */
  add(row: ExportedRow): string | null {
    this.#first ??= row;
    this.#addToApplication(row);
    if (row.month === this.#month) this.#addUsage(row);
    if (row.origin === 'charge') return this.#addCharge(row);
    const key = { number: Number(row.correction_number), usageMonth: row.month };
    this.#corrections.add(`${row.correction_number} ${row.month}`, row, () => key);
    return null;
  }

  /** Returns what all rows of an application charge, of whichever month. */
  usageOf(applicationId: string): BilledUsage {
    return this.#billedApplications.get(applicationId) ?? { sponsoredOctets: 0n, chargeMicros: 0n };
  }

  #addToApplication(row: ExportedRow): void {
    const { sponsoredOctets, chargeMicros } = this.usageOf(row.application_id);
    this.#billedApplications.set(row.application_id, {
      sponsoredOctets: sponsoredOctets + BigInt(row.sponsored_octets),
      chargeMicros: chargeMicros + BigInt(row.charge_micros),
    });
  }

  #addCharge(row: ExportedRow): string | null {
    const { application_id: applicationId, plan_id: planId, month: usageMonth } = row;
    const key = { applicationId, planId, planVersion: Number(row.plan_version), usageMonth };
    if (isLate({ ...key, bookingDate: row.booking_date }, this.#month, this.#settlements)) {
      this.#late.records++;
      this.#late.sponsoredOctets += BigInt(row.sponsored_octets);
      this.#late.chargeMicros += BigInt(row.charge_micros);
    }
    const name = lineName(key);
    this.#lines.add(name, row, () => key);
    return this.#tiers.get(name)?.add(row) ?? null;
  }

  #addUsage(row: ExportedRow): void {
    this.#hasOwnMonth = true;
    const day = this.#daysOfUse.dayOf(row.plan_id, row.plan_version, row.start_time);
    this.#days.add(day, row, () => ({ day }));
    this.#applications.add(row.application_id, row, () => ({ applicationId: row.application_id }));
    this.#contentTypes.add(row.content_type, row, () => ({ contentType: row.content_type }));
  }

  /** Returns what follows from the rows, and for lines from the tiers that the statement has. */
  expected({ lines, month }: Statement) {
    const lineOf = new Map(lines.map((line) => [lineName(line), line]));
    const noRow = new NotDerived('the statement covers no rows, and only rows name it');
    return {
      sponsor: { id: this.#first?.sponsor_id ?? noRow, currency: this.#first?.currency ?? noRow },
      month: this.#hasOwnMonth ? month : new NotDerived('the statement covers no row of the month itself'),
      lines: this.#lines.sorted(lineOrder).map((sums) => this.#lineOf(sums, lineOf.get(lineName(sums))?.tiers ?? [])),
      corrections: this.#corrections
        .sorted(({ number, usageMonth }) => [number, usageMonth])
        .map((sums) => ({ ...sums, isAdjustment: sums.usageMonth !== month })),
      byDay: this.#days.sorted(({ day }) => [day]).map(withoutCount),
      byApplication: this.#applications.sorted(({ applicationId }) => [applicationId]).map(withoutCount),
      byContentType: this.#contentTypes.sorted(({ contentType }) => [contentType]).map(withoutCount),
      completeness: { lateRecords: this.#late },
      proof: { merkleRoot: Buffer.from(this.#tree.root()).toString('hex'), leaves: this.#tree.count },
    };
  }

  #lineOf({ rows, ...sums }: LineKey & RowSums, tiers: readonly StatementTier[]): object {
    const check = this.#tiers.get(lineName(sums));
    const expectedTiers = tiers.map(({ octets, pricePerMiBMicros }, at) => ({
      octets:
        check?.octetsOf(at) ??
        new NotDerived('two catalogues have overlapping tiers, and rows do not name their catalogue'),
      amountMicros: tierAmountMicros(octets, pricePerMiBMicros),
    }));
    return {
      ...sums,
      records: rows,
      isAdjustment: sums.usageMonth !== this.#month,
      tiers: expectedTiers,
      roundingMicros: sums.chargeMicros - sumOf(expectedTiers, ({ amountMicros }) => amountMicros),
    };
  }
}

/** Sort key of lines: later months come first. */
function lineOrder({ usageMonth, applicationId, planId, planVersion }: LineKey): (string | number)[] {
  return [-Number(usageMonth.replace('-', '')), applicationId, planId, planVersion];
}

function withoutCount<T extends RowSums>({ rows: _, ...usage }: T): Omit<T, 'rows'> {
  return usage;
}

/** The sums of rows. */
interface RowSums {
  rows: number;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

/** Sums of rows by group: `key` returns the fields that name a group, once for each name. */
class GroupedSums<K extends object> {
  readonly #groups = new Map<string, K & RowSums>();

  add(name: string, row: ExportedRow, key: () => K): void {
    let sums = this.#groups.get(name);
    if (sums === undefined) {
      sums = { ...key(), rows: 0, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
      this.#groups.set(name, sums);
    }
    sums.rows++;
    sums.sponsoredOctets += BigInt(row.sponsored_octets);
    sums.subscriberOctets += BigInt(row.subscriber_octets);
    sums.chargeMicros += BigInt(row.charge_micros);
  }

  /** Returns the groups in the order of the fields that `orderOf` returns. */
  sorted(orderOf: (key: K) => readonly (string | number)[]): (K & RowSums)[] {
    return [...this.#groups.values()].sort((a, b) => compareLists(orderOf(a), orderOf(b)));
  }
}

function compareLists(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [at, value] of a.entries()) if (value !== b[at]) return value < b[at] ? -1 : 1;
  return 0;
}
