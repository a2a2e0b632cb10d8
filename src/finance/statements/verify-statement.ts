import { endOfMonthMs, monthAfter } from '../month.ts';
import { expectedStatement, ITEM_NAMES, lineName, StatementRows } from './expected-statement.ts';
import { type ExportedRow, rowLeaf } from './exported-row.ts';
import type { FileRow } from './rows-file.ts';
import { LISTED_BATCHES } from './statement-arithmetic.ts';
import type { Statement } from './statement-document.ts';
import { compareFields, NotDerived, type UnprovenField } from './statement-fields.ts';
import { tierFaults } from './verify-tiers.ts';

/** Most faulty rows that are named; the others are counted. */
const NAMED_ROWS = 20;
/** A month ends first in the zone UTC+14. */
const FIRST_ZONE_MS = 14 * 3_600_000;

export interface Verification {
  /** What does not verify, a sentence each; none: all that can be recomputed equals the statement. */
  faults: string[];
  /** Fields that nothing in the given files derives. */
  unproven: UnprovenField[];
}

/** What a statement is compared with: its rows, and the statement of the previous month. */
export interface StatementEvidence {
  rows: AsyncIterable<FileRow> | null;
  previous: Statement | null;
}

/** Recomputes all fields of a statement that its rows, its other fields and the previous statement derive. */
export async function verifyStatement(
  statement: Statement,
  { rows, previous }: StatementEvidence,
): Promise<Verification> {
  const read = rows === null ? null : await readRows(statement, rows);
  const expected = expectedStatement(statement, read?.sums ?? null, previous);
  const noRows = read === null ? new NotDerived('no rows were given') : null;
  const { faults, unproven } = compareFields(statement, expected, ITEM_NAMES, noRows);
  const others = [
    ...formFaults(statement),
    ...entryFaults(statement),
    ...statement.lines.flatMap((line) => tierFaults(line).map((fault) => `lines[${lineName(line)}]: ${fault}`)),
    ...(previous === null ? [] : previousFaults(statement, previous)),
  ];
  return { faults: [...(read?.faults ?? []), ...faults, ...others], unproven };
}

async function readRows(
  statement: Statement,
  rows: AsyncIterable<FileRow>,
): Promise<{ sums: StatementRows; faults: string[] }> {
  const sums = new StatementRows(statement);
  const faults: string[] = [];
  let count = 0;
  let before: ExportedRow | null = null;
  for await (const { row, line } of rows) {
    sums.addLeaf(rowLeaf(row));
    const stranger = strangerFault(row, statement);
    const fault = stranger ?? sums.add(row) ?? orderFault(before, row);
    before = row;
    if (fault === null) continue;
    count++;
    if (count <= NAMED_ROWS) faults.push(`row ${line}: ${fault}`);
  }
  if (count > NAMED_ROWS) faults.push(`rows: ${count - NAMED_ROWS} more do not fit`);
  return { sums, faults };
}

/** Returns why this statement cannot cover a row. */
function strangerFault(row: ExportedRow, { sponsor, month }: Statement): string | null {
  if (row.sponsor_id !== sponsor.id) return `is of sponsor ${row.sponsor_id}, the statement of ${sponsor.id}`;
  if (row.currency !== sponsor.currency) return `is in ${row.currency}, the statement in ${sponsor.currency}`;
  return row.month > month ? `is of ${row.month}, the statement of ${month}` : null;
}

/** Checks that each row is after the one before, so that none occurs twice. */
function orderFault(before: ExportedRow | null, row: ExportedRow): string | null {
  if (before === null) return null;
  const order =
    Buffer.compare(Buffer.from(before.topic), Buffer.from(row.topic)) ||
    Number(before.partition) - Number(row.partition) ||
    Number(before.offset) - Number(row.offset) ||
    Number(before.correction_number) - Number(row.correction_number) ||
    (before.origin > row.origin ? -1 : before.origin < row.origin ? 1 : 0);
  if (order < 0) return null;
  return order === 0 ? 'occurs twice' : 'is not in the order of an export';
}

/** Returns contradictions within a statement. */
function formFaults({ isClosed, closing, isOpeningFinal, month, proof }: Statement): string[] {
  const { list } = proof.batches;
  const closedAtMs = closing === null ? Number.NaN : Date.parse(closing.closedAt);
  return [
    ...(isClosed === (closing !== null) ? [] : [`isClosed: is ${isClosed}, and closing says otherwise`]),
    ...(isClosed && !isOpeningFinal ? ['isOpeningFinal: is false, and the month is closed'] : []),
    ...(closing === null || closedAtMs >= endOfMonthMs(month) - FIRST_ZONE_MS
      ? []
      : [`closing.closedAt: ${closing.closedAt} is before the end of ${month}`]),
    ...(list === null || list.length <= LISTED_BATCHES ? [] : ['proof.batches.list: is too long for a statement']),
  ];
}

function entryFaults({ entries, month, closing }: Statement): string[] {
  return entries.flatMap((entry, at) => {
    const name = `entries[${at}]`;
    const { number, kind, amountMicros, effectiveAt, bookedAt } = entry;
    return [
      ...(at === 0 || number > entries[at - 1].number
        ? []
        : [`${name}.number: ${number} is not after the previous one`]),
      ...(effectiveAt.slice(0, 7) <= month ? [] : [`${name}.effectiveAt: ${effectiveAt} is after ${month}`]),
      ...(Date.parse(effectiveAt) <= Date.parse(bookedAt) ? [] : [`${name}.effectiveAt: is after bookedAt`]),
      ...(closing === null || Date.parse(bookedAt) <= Date.parse(closing.closedAt)
        ? []
        : [`${name}.bookedAt: ${bookedAt} is after the closing`]),
      ...(['top-up', 'payment', 'rebate'].includes(kind) && amountMicros <= 0n
        ? [`${name}.amountMicros: ${amountMicros}, and a ${kind} is above 0`]
        : []),
    ];
  });
}

/**
 * Checks that the previous statement is of the same sponsor and currency, and of the month before. Its closing balance is
 * compared as a field.
 */
function previousFaults({ sponsor, month }: Statement, previous: Statement): string[] {
  const { id, currency } = previous.sponsor;
  return [
    ...(id === sponsor.id ? [] : [`the previous statement is of sponsor ${id}`]),
    ...(currency === sponsor.currency ? [] : [`the previous statement is in ${currency}`]),
    ...(monthAfter(previous.month) === month ? [] : [`the previous statement is of ${previous.month}`]),
  ];
}
