import {
  arrayColumn,
  bytesOf,
  fixedColumn,
  int64Column,
  int64Words,
  type NativeColumn,
  stringColumn,
  strings,
} from '../platform/native-block.ts';
import type { Store } from '../platform/store.ts';
import { literal } from '../platform/store.ts';
import { bookFact, lastNumber } from './book-fact.ts';
import { type Closing, readClosings } from './closings.ts';
import { readCoverage, readCursors } from './coverage.ts';
import { endOfMonthMs, type Month, monthAfter } from './month.ts';
import { findSponsor } from './sponsor.ts';
import { statementOf } from './statement.ts';
import { type Statement, statementJson } from './statement-document.ts';

export interface CloseRequest {
  sponsorId: string;
  month: Month;
  who: string;
  /** Milliseconds since 1970-01-01T00:00Z. */
  nowMs: number;
}

export type CloseOutcome =
  | { outcome: 'closed' | 'already_closed'; closing: Closing }
  | { outcome: 'refused'; reason: 'month_not_over' | 'earlier_month_open'; message: string };

/**
 * Closes a month of a sponsor: its statement as of now is frozen. Months are closed in order, once they are over. To close
 * one again is the same as once. Rejects with a ConfigError for an unknown sponsor and for what has no statement.
 */
export async function closeMonth(store: Store, request: CloseRequest): Promise<CloseOutcome> {
  const { sponsorId, month, nowMs } = request;
  await findSponsor(store, sponsorId);
  for (;;) {
    // Before anything else is read: what somebody else closes meanwhile has this number.
    const number = (await lastNumber(store, 'closings')) + 1;
    const coverage = await readCoverage(store, sponsorId, month);
    if (coverage.closing !== null) return { outcome: 'already_closed', closing: coverage.closing };
    if (endOfMonthMs(month) > nowMs) {
      return refused(
        'month_not_over',
        `${month} is not over: it ends on ${new Date(endOfMonthMs(month)).toISOString()}`,
      );
    }
    const next = coverage.previous === null ? await firstMonth(store, sponsorId) : monthAfter(coverage.previous.month);
    if (next !== null && next < month) {
      return refused(
        'earlier_month_open',
        `${next} of ${sponsorId} is open: months are closed in order, so close it first`,
      );
    }
    const statement = await statementOf(store, coverage);
    const columns = closingColumns(number, request, statement, await readCursors(store, coverage), coverage.upTo);
    const isOurs = async () => {
      const closing = await closingOf(store, sponsorId, month);
      return (
        closing?.number === number && closing.who === request.who && closing.closedAt === new Date(nowMs).toISOString()
      );
    };
    if ((await bookFact(store, { table: 'closings', number, columns, isOurs })) === 'booked') {
      return { outcome: 'closed', closing: (await closingOf(store, sponsorId, month)) as Closing };
    }
  }
}

async function closingOf(store: Store, sponsorId: string, month: Month): Promise<Closing | undefined> {
  return (await readClosings(store, sponsorId)).find((closing) => closing.month === month);
}

/** The first month that anything of a sponsor is booked in; null: nothing is. */
async function firstMonth(store: Store, sponsorId: string): Promise<Month | null> {
  const [{ first }] = await store.query<{ first: string | null }>(
    'SELECT substring(toString(minOrNull(month)), 1, 7) AS first FROM (' +
      `SELECT month FROM bookings WHERE sponsor_id = ${literal(sponsorId)} ` +
      `UNION ALL SELECT toStartOfMonth(effective_at) FROM account_entries WHERE sponsor_id = ${literal(sponsorId)})`,
  );
  return first === null || first === '' ? null : first;
}

function refused(reason: 'month_not_over' | 'earlier_month_open', message: string): CloseOutcome {
  return { outcome: 'refused', reason, message };
}

function closingColumns(
  number: number,
  { sponsorId, month, who, nowMs }: CloseRequest,
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
    amount('closing_micros', totals.closingMicros),
    stringColumn('merkle_root', [proof.merkleRoot]),
    stringColumn('completeness', [statementJson(completeness, 0)]),
  ];
}
