import { requireAccountCurrency } from '../../journal/account-currencies.ts';
import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Column,
  int64Words,
  type NativeColumn,
  stringColumn,
  strings,
} from '../../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { lastPeriodStart, monthOverMs } from '../../rating/catalogue/closed-periods.ts';
import type { MonthlyTerms } from '../../rating/catalogue.ts';
import { bookFact, lastNumber } from '../book-fact.ts';
import { dayText } from '../calendar-day.ts';
import { dateLiteral, endOfMonthMs, type Month, monthAfter, startOfMonthMs } from '../month.ts';
import { findSponsor } from '../sponsor.ts';
import {
  type FoundTerms,
  type Invoice,
  type InvoiceNumber,
  type InvoiceTerms,
  type IssuedInvoice,
  issue,
  nextNumber,
  readTerms,
} from '../statements/invoice.ts';
import { firstMonthOfTerms, readMonthlyTerms, sumOfKind } from '../statements/monthly-terms.ts';
import { statementOf } from '../statements/statement.ts';
import { type Statement, statementJson } from '../statements/statement-document.ts';
import { type Closing, readClosings } from './closings.ts';
import { type Coverage, readCoverage, readCursors } from './coverage.ts';
import { readSponsorPlans, type SponsorPlan } from './sponsor-plans.ts';

export interface CloseRequest {
  sponsorId: string;
  month: Month;
  who: string;
  /** Milliseconds since 1970-01-01T00:00Z. */
  nowMs: number;
  /** A month stays open for so long after the end of its last period, for late records. */
  graceDelayMs?: number;
  /** Terms of its invoice; absent: those of the newest catalogue of the store. */
  terms?: FoundTerms;
  /** Of any sponsors; absent: those of the newest catalogue of the store. */
  monthlyTerms?: readonly MonthlyTerms[];
}

export type CloseOutcome =
  | { outcome: 'closed' | 'already_closed'; closing: Closing; noInvoice?: string }
  | { outcome: 'refused'; reason: 'month_not_over' | 'earlier_month_open'; message: string };

/**
 * Closes a month of a sponsor: freezes its current statement. Months are closed in order, once every period that begins in
 * them is over, in its plan's time zone, and the grace has passed. Closing a closed month again returns its closing. Rejects
 * with a ConfigError for an unknown sponsor and for a month without a statement.
 */
export async function closeMonth(store: Store, request: CloseRequest): Promise<CloseOutcome> {
  const { sponsorId, month, nowMs, graceDelayMs = 0 } = request;
  await requireAccountCurrency(store, await findSponsor(store, sponsorId));
  for (;;) {
    // Read first, so that a closing by another process in the meantime takes this number.
    const number = (await lastNumber(store, 'closings')) + 1;
    const coverage = await readCoverage(store, sponsorId, month);
    if (coverage.closing !== null) return { outcome: 'already_closed', closing: coverage.closing };
    const over = await readMonthOver(store, sponsorId, month);
    if (over.overMs + graceDelayMs > nowMs) return refused('month_not_over', notOver(request, over));
    const monthlyTerms = request.monthlyTerms ?? (await readMonthlyTerms(store, sponsorId));
    const earlier = await earlierMonth(store, coverage, monthlyTerms);
    if (earlier !== null) return refused('earlier_month_open', earlier);
    const { terms, missing } = request.terms ?? (await readTerms(store, sponsorId));
    const statement = await statementOf(store, coverage, { invoiceTerms: terms, monthlyTerms });
    const issued = statement.invoice === null ? null : await issuedOf(store, statement.invoice, terms, nowMs);
    const columns = [
      ...closingColumns(number, request, statement, await readCursors(store, coverage), coverage.upTo),
      ...dueColumns(statement, issued),
    ];
    const isOurs = async () => {
      const closing = await closingOf(store, sponsorId, month);
      return (
        closing?.number === number && closing.who === request.who && closing.closedAt === new Date(nowMs).toISOString()
      );
    };
    const fact = {
      table: 'closings' as const,
      number,
      columns,
      isOurs,
      ...(issued !== null && { guard: issued.guard }),
    };
    if ((await bookFact(store, fact)) === 'booked') {
      const closing = (await closingOf(store, sponsorId, month)) as Closing;
      return {
        outcome: 'closed',
        closing,
        ...(issued === null && { noInvoice: missing ?? 'nothing is charged or due' }),
      };
    }
  }
}

type Issued = InvoiceNumber & { invoice: IssuedInvoice };

async function issuedOf(store: Store, draft: Invoice, terms: InvoiceTerms | null, nowMs: number): Promise<Issued> {
  if (terms === null) throw new Error('a statement is an invoice without terms');
  const next = await nextNumber(store, terms.invoicing, nowMs);
  return { ...next, invoice: issue(draft, next.number, nowMs) };
}

async function closingOf(store: Store, sponsorId: string, month: Month): Promise<Closing | undefined> {
  return (await readClosings(store, sponsorId)).find((closing) => closing.month === month);
}

/** Returns why an earlier month must be closed first; null: none. */
async function earlierMonth(
  store: Store,
  { sponsorId, month, previous }: Coverage,
  monthlyTerms: readonly MonthlyTerms[],
): Promise<string | null> {
  const first = previous === null ? await firstMonth(store, sponsorId) : monthAfter(previous.month);
  const firstOfTerms = previous === null ? firstMonthOfTerms(monthlyTerms, sponsorId) : null;
  const close = (open: Month) => `${open} of ${sponsorId} is open: months are closed in order, so close it first`;
  if (firstOfTerms !== null && firstOfTerms < month && (first === null || firstOfTerms < first)) {
    return `${close(firstOfTerms)}. Its monthly terms apply from then on; if months until now were billed elsewhere, let the terms begin (effectiveFrom) in the first month that is not`;
  }
  return first !== null && first < month ? close(first) : null;
}

/** Returns the first month that has bookings of a sponsor; null: there are none. */
async function firstMonth(store: Store, sponsorId: string): Promise<Month | null> {
  const [{ first }] = await store.query<{ first: string | null }>(
    'SELECT substring(toString(minOrNull(month)), 1, 7) AS first FROM (' +
      `SELECT month FROM bookings WHERE sponsor_id = ${literal(sponsorId)} ` +
      `UNION ALL SELECT toStartOfMonth(effective_at) FROM account_entries WHERE sponsor_id = ${literal(sponsorId)})`,
  );
  return first === null || first === '' ? null : first;
}

function notOver({ sponsorId, month, graceDelayMs = 0 }: CloseRequest, over: MonthOver): string {
  const from = new Date(over.overMs + graceDelayMs).toISOString();
  const grace = graceDelayMs === 0 ? '' : ` (closing.graceDelayMs: ${graceDelayMs})`;
  return `${month} of ${sponsorId} is not over: ${runsLast(over, month)}; close it at ${from}${grace} or later`;
}

function refused(reason: 'month_not_over' | 'earlier_month_open', message: string): CloseOutcome {
  return { outcome: 'refused', reason, message };
}

function closingColumns(
  number: number,
  { sponsorId, month, who, nowMs, graceDelayMs = 0 }: CloseRequest,
  { sponsor, totals, proof, completeness }: Statement,
  cursors: readonly { topic: string; partition: number; offset: number }[],
  upTo: { lastCorrection: number; lastEntry: number },
): NativeColumn[] {
  const amount = (name: string, value: bigint) => fixedColumn(name, 'Int64', BigInt64Array.of(value));
  const count = (name: string, value: number) => int64Column(name, 'UInt64', Float64Array.of(value));
  const [year, monthNumber] = month.split('-').map(Number);
  return [
    count('number', number),
    stringColumn('sponsor_id', [sponsorId]),
    stringColumn('sponsor_name', [sponsor.name]),
    fixedColumn('month', 'Date', Uint16Array.of(Date.UTC(year, monthNumber - 1) / 86_400_000)),
    int64Column('closed_at', "DateTime64(3, 'UTC')", Float64Array.of(nowMs)),
    int64Column('periods_ended_by', "DateTime64(3, 'UTC')", Float64Array.of(nowMs - graceDelayMs)),
    stringColumn('who', [who]),
    stringColumn('currency', [sponsor.currency]),
    fixedColumn('minor_digits', 'Int8', Int8Array.of(sponsor.minorDigits)),
    arrayColumn('cursors', 'Tuple(topic String, partition Int32, offset Int64)', Float64Array.of(cursors.length), [
      strings(cursors.map(({ topic }) => topic)),
      bytesOf(Int32Array.from(cursors, ({ partition }) => partition)),
      bytesOf(int64Words(cursors.map(({ offset }) => offset))),
    ]),
    count('last_correction', upTo.lastCorrection),
    count('last_entry', upTo.lastEntry),
    count('records', totals.records),
    amount('sponsored_octets', totals.sponsoredOctets),
    amount('charge_micros', totals.chargeMicros),
    amount('adjustment_micros', totals.adjustmentMicros),
    amount('credit_micros', totals.creditMicros),
    amount('opening_micros', totals.openingMicros),
    stringColumn('merkle_root', [proof.merkleRoot]),
    stringColumn('completeness', [statementJson(completeness, 0)]),
  ];
}

function dueColumns(statement: Statement, issued: Issued | null): NativeColumn[] {
  const { due, totals, monthlyTerms } = statement;
  if (due === null) throw new Error('an open month has an amount due');
  const amount = (name: string, value: bigint) => fixedColumn(name, 'Int64', BigInt64Array.of(value));
  return [
    amount(
      'closing_micros',
      totals.closingMicros - (totals.monthlyTermsMicros ?? 0n) + due.roundingMicros - due.taxMicros,
    ),
    amount('flat_fee_micros', sumOfKind(statement, 'flat-fee')),
    amount('volume_rebate_micros', -sumOfKind(statement, 'volume-rebate')),
    amount('shortfall_micros', sumOfKind(statement, 'shortfall')),
    stringColumn('monthly_terms', [monthlyTerms === undefined ? '' : statementJson(monthlyTerms, 0)]),
    amount('amount_due_micros', due.amountDueMicros),
    amount('taxable_micros', due.taxableMicros),
    amount('tax_micros', due.taxMicros),
    amount('rounding_micros', due.roundingMicros),
    stringColumn('invoice_number', [issued?.number ?? '']),
    stringColumn('invoice_series', [issued?.series ?? '']),
    int64Column('invoice_sequence', 'UInt64', Float64Array.of(issued?.sequence ?? 0)),
    stringColumn('invoice', [issued === null ? '' : statementJson(issued.invoice, 0)]),
  ];
}

const DAY_MS = 86_400_000;

/** When a sponsor's month is over, and by which plan. */
interface MonthOver {
  overMs: number;
  /** The plan whose month is over last; null: no plan is in force in the month, and it is over by UTC. */
  plan: SponsorPlan | null;
}

/** Returns when every statistics period that begins in a sponsor's month is over, each in its plan's time zone. */
async function readMonthOver(store: Store, sponsorId: string, month: Month): Promise<MonthOver> {
  const plans = await readSponsorPlans(store, sponsorId, catalogueInUse(month));
  const day = startOfMonthMs(month) / DAY_MS;
  let last: MonthOver | null = null;
  for (const plan of plans) {
    const overMs = monthOverMs(plan, day);
    if (overMs !== null && (last === null || overMs > last.overMs)) last = { overMs, plan };
  }
  return last ?? { overMs: endOfMonthMs(month), plan: null };
}

/** Returns what ends last in a month, in words. */
function runsLast({ overMs, plan }: MonthOver, month: Month): string {
  const until = `until ${new Date(overMs).toISOString()}`;
  if (plan === null) return `it runs ${until}`;
  const start = dayText(lastPeriodStart(plan, startOfMonthMs(month) / DAY_MS));
  return `the ${plan.period} of plan ${plan.planId} that begins on ${start} runs ${until} (${plan.timeZone})`;
}

/**
 * Returns a condition on `catalogues`: those that records of a month may still be rated with. A lane that has booked since
 * the month began continues with the catalogue of its last batch, or with the newest one.
 */
function catalogueInUse(month: Month): string {
  return (
    "hash IN (SELECT argMax(catalogue_hash, lane_sequence) FROM journal WHERE kind = 'batch' " +
    `AND booking_date >= ${dateLiteral(month)} GROUP BY lane) ` +
    'OR hash = (SELECT argMax(hash, first_used_at) FROM catalogues)'
  );
}
