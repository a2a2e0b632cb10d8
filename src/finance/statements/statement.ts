import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { MonthlyTerms } from '../../rating/catalogue.ts';
import type { Closing } from '../closing/closings.ts';
import { readCompleteness, readStatementSettlements } from '../closing/completeness.ts';
import { type Coverage, readCoverage } from '../closing/coverage.ts';
import { coveredLeaves } from '../closing/covered-rows.ts';
import { readPlanTimeZones } from '../closing/plan-time-zones.ts';
import { countOf, monthUsage, readMonthCorrections, readUsageCells, type UsageCell } from '../closing/usage-cells.ts';
import type { Month } from '../month.ts';
import { findSponsor, type KnownSponsor } from '../sponsor.ts';
import { draftOf, type InvoiceTerms, invoiceSchema, readTerms } from './invoice.ts';
import { MerkleTree } from './merkle.ts';
import { agreedIn, billTerms, firstMonthOfTerms, readMonthlyTerms } from './monthly-terms.ts';
import { readEntries, readOpening } from './statement-account.ts';
import { digestOfBatches, LISTED_BATCHES, statementDue, sumOf, totalsOf } from './statement-arithmetic.ts';
import { type Statement, type StatementProof, statementJson } from './statement-document.ts';
import { chargesWithBatches, readStatementLines } from './statement-lines.ts';

/**
 * Returns the current statement of a sponsor and a month. Rejects with a ConfigError where there is none: an unknown
 * sponsor, a month that another month's closing covers, bookings in two currencies. The statement of a closed month is
 * always the same; when the store no longer holds what was closed it rejects with a StoreError, `store_broken`.
 */
export async function readStatement(store: Store, sponsorId: string, month: Month): Promise<Statement> {
  const coverage = await readCoverage(store, sponsorId, month);
  return statementOf(store, coverage);
}

/** What a catalogue says of an open month's bill. Absent: as the newest catalogue of the store says. */
export interface BillingTerms {
  /** null: the statement is no invoice. */
  invoiceTerms?: InvoiceTerms | null;
  monthlyTerms?: readonly MonthlyTerms[];
}

/** Returns the statement of a coverage. A closed month has the terms that it was closed with. */
export async function statementOf(
  store: Store,
  coverage: Coverage,
  { invoiceTerms, monthlyTerms }: BillingTerms = {},
): Promise<Statement> {
  const { month, closing } = coverage;
  const lines = await readStatementLines(store, coverage);
  const settlements = await readStatementSettlements(store, coverage, lines);
  const timeZones = await readPlanTimeZones(store, coverage);
  const cells = await readUsageCells(store, coverage, timeZones, settlements);
  const entries = await readEntries(store, coverage);
  const sponsor = await sponsorOf(store, coverage);
  const { openingMicros, isOpeningFinal, currencies } = await readOpening(store, coverage);
  const agreed = closing === null ? (monthlyTerms ?? (await readMonthlyTerms(store, coverage.sponsorId))) : [];
  assertOneCurrency([...currencies, ...[...cells, ...entries].map(({ currency }) => currency)], coverage, sponsor);
  const parts = {
    lines,
    corrections: await readMonthCorrections(store, cells, month),
    entries: entries.map(({ currency: _, ...entry }) => entry),
    ...billedTerms(coverage, agreed, cells),
  };
  const { minorDigits } = sponsor;
  const { due, invoice } = await dueAndInvoice(store, coverage, parts, {
    openingMicros,
    minorDigits,
    terms: invoiceTerms,
  });
  const statement: Statement = {
    format: 'zerorate-statement-1',
    sponsor,
    month,
    isClosed: closing !== null,
    closing: closing === null ? null : { number: closing.number, closedAt: closing.closedAt, who: closing.who },
    // An earlier month that is open, with terms alone, posts them when it is closed.
    isOpeningFinal: isOpeningFinal && !hasEarlierTerms(coverage, agreed),
    ...parts,
    timeZones,
    ...monthUsage(cells, month),
    completeness: await readCompleteness(store, coverage, cells, settlements),
    totals: totalsOf(parts, openingMicros, minorDigits, closing === null ? null : due),
    due,
    invoice,
    proof: await readProof(store, coverage, countOf(cells)),
  };
  if (closing !== null) assertAsClosed(statement, closing);
  return statement;
}

/** Returns what the statement bills, and its invoice. A statement that bills nothing is no invoice. */
async function dueAndInvoice(
  store: Store,
  { sponsorId, closing }: Coverage,
  parts: Pick<Statement, 'lines' | 'corrections' | 'entries' | 'monthlyTerms'>,
  {
    openingMicros,
    minorDigits,
    terms,
  }: { openingMicros: bigint; minorDigits: number; terms: InvoiceTerms | null | undefined },
): Promise<Pick<Statement, 'due' | 'invoice'>> {
  if (closing !== null) {
    const invoice = closing.invoice === '' ? null : invoiceSchema.parse(JSON.parse(closing.invoice));
    return {
      due: closing.due === null ? null : statementDue({ ...parts, invoice }, openingMicros, minorDigits),
      invoice,
    };
  }
  const known = terms === undefined ? (await readTerms(store, sponsorId)).terms : terms;
  const invoice = known === null ? null : draftOf(known);
  const due = statementDue({ ...parts, invoice }, openingMicros, minorDigits);
  const asksForNothing = due.taxableMicros === 0n && due.amountDueMicros === 0n;
  return { due, invoice: asksForNothing ? null : invoice };
}

/** Returns what the month's terms bill; nothing where none are in force. A closed month has those that it was closed with. */
function billedTerms(
  { sponsorId, month, closing }: Coverage,
  agreed: readonly MonthlyTerms[],
  cells: readonly UsageCell[],
): Pick<Statement, 'monthlyTerms'> {
  const terms = closing === null ? agreedIn(agreed, sponsorId, month) : closing.monthlyTerms;
  if (terms.length === 0) return {};
  const usageOf = (applicationId: string | null) => {
    const own = cells.filter((cell) => applicationId === null || cell.applicationId === applicationId);
    return {
      sponsoredOctets: sumOf(own, ({ sponsoredOctets }) => sponsoredOctets),
      chargeMicros: sumOf(own, ({ chargeMicros }) => chargeMicros),
    };
  };
  return { monthlyTerms: billTerms(terms, usageOf) };
}

function hasEarlierTerms({ sponsorId, month, hasAdjustments }: Coverage, agreed: readonly MonthlyTerms[]): boolean {
  const first = firstMonthOfTerms(agreed, sponsorId);
  return !hasAdjustments && first !== null && first < month;
}

/** Returns the sponsor; a closed month keeps its name, its currency and the decimals of it. */
async function sponsorOf(store: Store, { sponsorId, closing }: Coverage): Promise<KnownSponsor> {
  if (closing === null) return findSponsor(store, sponsorId);
  const { sponsorName: name, currency, minorDigits } = closing;
  return { id: sponsorId, name, currency, minorDigits };
}

function assertOneCurrency(
  booked: readonly string[],
  { sponsorId, month }: Coverage,
  { currency }: KnownSponsor,
): void {
  const others = new Set(booked.filter((other) => other !== currency));
  if (others.size === 0) return;
  throw new ConfigError(
    `${sponsorId}, ${month}: is booked in ${[...others].join(', ')} and its currency is ${currency}; a statement has one currency`,
  );
}

/** Compares the closing with what the store holds today, to the last octet. */
function assertAsClosed({ totals, due, proof, sponsor, month, monthlyTerms }: Statement, closing: Closing): void {
  const { records, sponsoredOctets, chargeMicros, adjustmentMicros, creditMicros, closingMicros } = totals;
  const now = { records, sponsoredOctets, chargeMicros, adjustmentMicros, creditMicros, closingMicros };
  const faults = [
    ...differences(now, closing),
    ...(due === null || closing.due === null ? [] : differences(due, closing.due)),
  ];
  const [billed, bills] = [closing.monthlyTerms, monthlyTerms ?? []].map((terms) => statementJson(terms, 0));
  if (billed !== bills) faults.push(`the monthly terms were ${billed} and are ${bills}`);
  if (proof.merkleRoot !== closing.merkleRoot)
    faults.push(`the Merkle root was ${closing.merkleRoot} and is ${proof.merkleRoot}`);
  if (faults.length === 0) return;
  throw new StoreError(
    'store_broken',
    `${sponsor.id}, ${month}: the store does not hold what was closed: ${faults.join('; ')}. Run \`zerorate audit\`, and restore what is lost`,
  );
}

/** Returns the values that differ, of the names that both have. */
function differences<T extends object>(now: T, was: Partial<T>): string[] {
  return (Object.keys(now) as (keyof T & string)[])
    .filter((name) => name in was && now[name] !== was[name])
    .map((name) => `${name} was ${was[name]} and is ${now[name]}`);
}

type Batches = StatementProof['batches'];

/** Returns the root over the covered rows (`rows` of them), and the digests of their batches. */
async function readProof(store: Store, coverage: Coverage, rows: number): Promise<StatementProof> {
  const tree = new MerkleTree();
  for await (const leaf of coveredLeaves(store, coverage, rows)) tree.add(leaf);
  return {
    merkleRoot: Buffer.from(tree.root()).toString('hex'),
    leaves: tree.count,
    rowForm: 'zerorate-row-1',
    batches: await readBatches(store, coverage),
  };
}

async function readBatches(store: Store, coverage: Coverage): Promise<Batches> {
  const rows = await store.query<{ digest: string }>(
    'SELECT charges.topic AS log_topic, charges.partition AS log_partition, last_offset, digest ' +
      `FROM ${chargesWithBatches(coverage)} GROUP BY ALL ORDER BY log_topic, log_partition, last_offset`,
  );
  // The offsets of a batch would reveal how much all sponsors together sent.
  const list = rows.map(({ digest }) => ({ digest: String(digest) }));
  return {
    count: list.length,
    digest: digestOfBatches(list),
    list: list.length > LISTED_BATCHES ? null : list,
  };
}
