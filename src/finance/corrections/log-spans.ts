import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { PeriodRange } from './rerate-lane.ts';

const DAY_MS = 86_400_000;
/** A record's start lies in its period: at most 31 days after the first day, and a day to either side for the time zone. */
const DAYS_BEFORE = 1;
const DAYS_AFTER = 32;

/** Charges of a sponsor's statistics periods. */
export interface ChargeSelection {
  sponsorId: string;
  range: PeriodRange;
}

/** Current charges of the statistics periods that an SQL condition selects. */
export interface RowSelection {
  /** On `sponsor_id` and `application_id` of a charge. */
  charged: string;
  range: PeriodRange;
  /** Also charges of records that cannot count in a period with those of the range. */
  isOfAnyTime?: boolean;
}

export function rowsOf({ sponsorId, range }: ChargeSelection): RowSelection {
  return { charged: `sponsor_id = ${literal(sponsorId)}`, range };
}

/** A range of a log that consecutive batches of a lane hold. */
export interface LogSpan {
  lane: string;
  topic: string;
  partition: number;
  firstOffset: number;
  lastOffset: number;
}

/**
 * Returns the places of a selection's charges, in lane order, up to the journal's current end: those of batches, and those of
 * corrections, which may charge a record that has no other charge. A lane may continue with another log (a file, a recreated
 * topic) and return to the first, so a log may have several spans.
 */
export async function readSpans(store: Store, selection: RowSelection): Promise<LogSpan[]> {
  const rowsOf = (table: string) =>
    `SELECT topic, partition, min(offset) AS first_row, max(offset) AS last_row FROM ${table} ` +
    `WHERE kind = 'charge' AND ${selection.charged} AND ${mayCountExpression(selection)} GROUP BY topic, partition`;
  const logs =
    'SELECT topic, partition, min(first_row) AS first_row, max(last_row) AS last_row ' +
    `FROM (${rowsOf('journal')} UNION ALL ${rowsOf('corrections')}) GROUP BY topic, partition`;
  // A lane's batches are numbered without a gap: consecutive batches of one log keep their distance to its count.
  const batches =
    'SELECT lane, topic, partition, first_offset, offset, lane_sequence, ' +
    'toInt64(lane_sequence) - row_number() OVER (PARTITION BY lane, topic, partition ORDER BY lane_sequence) AS island ' +
    "FROM journal WHERE kind = 'batch'";
  const rows = await store.query<Record<string, string | number>>(
    'SELECT lane, topic, partition, greatest(min(first_offset), any(first_row)) AS first, ' +
      `least(max(offset), any(last_row)) AS last FROM (${batches}) AS batches ` +
      `INNER JOIN (${logs}) AS logs USING (topic, partition) ` +
      'GROUP BY lane, topic, partition, island HAVING first <= last ORDER BY lane, min(lane_sequence)',
  );
  return rows.map(({ lane, topic, partition, first, last }) => ({
    lane: String(lane),
    topic: String(topic),
    partition: Number(partition),
    firstOffset: Number(first),
    lastOffset: Number(last),
  }));
}

/** Yields spans of at most so many offsets: what is read at once. */
export function* cutSpans(spans: Iterable<LogSpan>, offsets: number): Iterable<LogSpan> {
  for (const span of spans) {
    for (let firstOffset = span.firstOffset; firstOffset <= span.lastOffset; firstOffset += offsets) {
      yield { ...span, firstOffset, lastOffset: Math.min(span.lastOffset, firstOffset + offsets - 1) };
    }
  }
}

/** When records start whose period may begin in a range, and those that may count in one period with them: [fromMs, toMs). */
export function timesOf({ fromDay, toDay }: PeriodRange): { fromMs: number; toMs: number } {
  return { fromMs: Math.max(0, fromDay - DAYS_BEFORE) * DAY_MS, toMs: (toDay + DAYS_AFTER) * DAY_MS };
}

/** In SQL: the rows of `timesOf`, or all. */
export function mayCountExpression({
  range,
  isOfAnyTime = false,
}: Pick<RowSelection, 'range' | 'isOfAnyTime'>): string {
  if (isOfAnyTime) return 'true';
  const { fromMs, toMs } = timesOf(range);
  const time = (timeMs: number) => `fromUnixTimestamp64Milli(toInt64(${timeMs}), 'UTC')`;
  return `start_time >= ${time(fromMs)} AND start_time < ${time(toMs)}`;
}
