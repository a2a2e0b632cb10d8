import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { dateLiteral, type Month, monthBefore } from '../month.ts';
import { type Closing, readClosings } from './closings.ts';

/** An end of the books: a cursor for each log, and the last correction and account entry. */
interface Mark {
  /** ClickHouse expressions, constant: the logs as `topic/partition`, and the last offset of each. */
  logs: string;
  offsets: string;
  lastCorrection: number;
  lastEntry: number;
}

/**
 * What a statement of a sponsor and a month covers: all that is booked up to `upTo` whose month is this one or, where the
 * month before is closed, an earlier one, less what an earlier closing covers. So each row is in exactly one statement.
 */
export interface Coverage {
  sponsorId: string;
  month: Month;
  /** The month's own closing; null: the month is open. */
  closing: Closing | null;
  /** The last closing of the sponsor before this month. */
  previous: Closing | null;
  /** Rows of earlier months that no closing covers are adjustments here. Otherwise their months are still open. */
  hasAdjustments: boolean;
  upTo: Mark;
}

/** Expressions of a table's rows: which month they belong to, and whether they were booked by a mark. */
interface Covered {
  month: string;
  isBookedBy: (mark: Mark) => string;
}

/** Below all offsets: the batch of a recreated topic has the offset -1. */
const NO_OFFSET = 'toInt64(-2)';
const LOG = "concat(topic, '/', toString(partition))";

/**
 * Returns the current coverage. An open month covers what is booked now, not what is booked while the statement is read.
 * Rejects with a ConfigError for a month before the first closed one.
 */
export async function readCoverage(store: Store, sponsorId: string, month: Month): Promise<Coverage> {
  const closings = await readClosings(store, sponsorId);
  const closing = closings.find((closing) => closing.month === month) ?? null;
  const previous = closings.findLast((closing) => closing.month < month) ?? null;
  if (closing === null && previous === null && closings.length > 0) {
    throw new ConfigError(
      `${month}: the first month of ${sponsorId} that was closed is ${closings[0].month}; it covers earlier months`,
    );
  }
  return {
    sponsorId,
    month,
    closing,
    previous,
    hasAdjustments: closing !== null || previous?.month === monthBefore(month),
    upTo: closing === null ? await markOfNow(store) : markOf(closing),
  };
}

/** Returns a condition on rows of `bookings`. */
export function coveredBookings(coverage: Coverage): string {
  return `sponsor_id = ${literal(coverage.sponsorId)} AND ${covered(coverage, BOOKINGS)}`;
}

/** Returns a condition on rows of `account_entries`: an entry belongs to the month in which it takes effect. */
export function coveredEntries(coverage: Coverage): string {
  return `sponsor_id = ${literal(coverage.sponsorId)} AND ${covered(coverage, ENTRIES)}`;
}

/** Returns a condition on journal rows of any sponsor; `month` is the expression of their month. */
export function coveredJournal(coverage: Coverage, month: string): string {
  return covered(coverage, { month, isBookedBy: isWithinCursors });
}

/** Returns conditions on rows of `bookings` and `account_entries` that earlier months will cover once they are closed. */
export function coveredEarlier(coverage: Coverage): { bookings: string; entries: string } {
  const earlier = (rows: Covered) =>
    `sponsor_id = ${literal(coverage.sponsorId)} AND ${rows.month} < ${dateLiteral(coverage.month)} ` +
    `AND ${rows.isBookedBy(coverage.upTo)}${notCoveredBefore(coverage, rows)}`;
  return { bookings: earlier(BOOKINGS), entries: earlier(ENTRIES) };
}

/** Returns a condition on journal rows of any sponsor and month: those up to the coverage's end. */
export function withinCursors({ upTo }: Coverage): string {
  return isWithinCursors(upTo);
}

/** Returns the last offset of each log up to the coverage's end. */
export async function readCursors(
  store: Store,
  { upTo }: Coverage,
): Promise<{ topic: string; partition: number; offset: number }[]> {
  const rows = await store.query<Record<string, string | number>>(
    `SELECT log, toString(last) AS last FROM (SELECT arrayJoin(arrayZip(${upTo.logs}, ${upTo.offsets})) AS cursor, ` +
      'cursor.1 AS log, cursor.2 AS last) ORDER BY log',
  );
  return rows.map(({ log, last }) => {
    const [, topic, partition] = /^(.*)\/(\d+)$/s.exec(String(log)) ?? [];
    return { topic, partition: Number(partition), offset: Number(last) };
  });
}

const BOOKINGS: Covered = {
  month: 'month',
  isBookedBy: (mark) =>
    `if(correction_number = 0, ${isWithinCursors(mark)}, correction_number <= ${mark.lastCorrection})`,
};

const ENTRIES: Covered = {
  month: 'toStartOfMonth(effective_at)',
  isBookedBy: ({ lastEntry }) => `number <= ${lastEntry}`,
};

function covered(coverage: Coverage, rows: Covered): string {
  const { month, hasAdjustments, upTo } = coverage;
  return (
    `${rows.month} ${hasAdjustments ? '<=' : '='} ${dateLiteral(month)} ` +
    `AND ${rows.isBookedBy(upTo)}${notCoveredBefore(coverage, rows)}`
  );
}

/**
 * Excludes what the last closing covers. Cursors only grow and months are closed in order, so it includes all earlier
 * closings.
 */
function notCoveredBefore({ previous }: Coverage, { month, isBookedBy }: Covered): string {
  if (previous === null) return '';
  return ` AND NOT (${month} <= ${dateLiteral(previous.month)} AND ${isBookedBy(markOf(previous))})`;
}

function isWithinCursors({ logs, offsets }: Mark): string {
  return `offset <= transform(${LOG}, ${logs}, ${offsets}, ${NO_OFFSET})`;
}

function markOf({ number, lastCorrection, lastEntry }: Closing): Mark {
  const of = (expression: string) => `(SELECT ${expression} FROM closings WHERE number = ${number})`;
  // A store of many files has more cursors than a statement can hold, so the statement reads them from the table.
  return {
    logs: of("arrayMap(cursor -> concat(cursor.1, '/', toString(cursor.2)), cursors)"),
    offsets: of('arrayMap(cursor -> cursor.3, cursors)'),
    lastCorrection,
    lastEntry,
  };
}

/**
 * Returns the current end. A lane's batches have consecutive numbers, so its last number gives the end of each of its logs.
 */
async function markOfNow(store: Store): Promise<Mark> {
  const lanes = await store.query<{ lane: string; last: number }>(
    "SELECT lane, max(lane_sequence) AS last FROM journal WHERE kind = 'batch' GROUP BY lane ORDER BY lane",
  );
  const [{ entry, correction }] = await store.query<{ entry: number; correction: number }>(
    'SELECT (SELECT max(number) FROM account_entries) AS entry, (SELECT max(number) FROM corrections) AS correction',
  );
  const lastOf = `transform(lane, [${lanes.map(({ lane }) => literal(lane))}]::Array(String), [${lanes.map(({ last }) => last)}]::Array(UInt64), toUInt64(0))`;
  const cursors =
    `(SELECT arraySort(groupArray((log, last))) FROM (SELECT ${LOG} AS log, max(offset) AS last FROM journal ` +
    `WHERE kind = 'batch' AND lane_sequence <= ${lastOf} GROUP BY log))`;
  return {
    logs: `arrayMap(cursor -> cursor.1, ${cursors})`,
    offsets: `arrayMap(cursor -> cursor.2, ${cursors})`,
    lastCorrection: Number(correction),
    lastEntry: Number(entry),
  };
}
