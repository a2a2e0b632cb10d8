import type { BatchRow } from '../../journal/evidence/evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { mayCountExpression, timesOf } from './log-spans.ts';
import type { PeriodRange } from './rerate-lane.ts';

const DAY_MS = 86_400_000;

/**
 * Returns the batches that may have records of a range of periods, by lane and number: of each lane all from the first such batch
 * up to its end, because records may come late. The last batch with records is always one of them: nothing says when its last record
 * came. No record starts later than `maxFutureSkewMs` after its log's time, which was checked
 * when it was booked; 0: any record may, so that every batch is returned.
 */
export async function batchesToRead(
  store: Store,
  batches: readonly BatchRow[],
  range: PeriodRange,
  maxFutureSkewMs: number,
): Promise<BatchRow[]> {
  const known = await firstWithUsage(store, range);
  const first = new Map<string, number>();
  const last = new Map<string, BatchRow>();
  const { fromMs } = timesOf(range);
  const mayHave = (bookingDay: number) =>
    maxFutureSkewMs === 0 || (bookingDay + 1 + SLACK_DAYS) * DAY_MS + maxFutureSkewMs > fromMs;
  for (const batch of batches) {
    const { lane } = batch;
    const before = last.get(lane);
    if (batch.gapReason === '') last.set(lane, batch);
    if (first.has(lane) || !mayHave(batch.bookingDay)) continue;
    // The booking day is that of a batch's first record: the last records of the batch before may be of this day, too.
    first.set(lane, (before ?? batch).numbers.lane_sequence);
  }
  return batches.filter(({ lane, numbers: { lane_sequence } }) => {
    const end = last.get(lane)?.numbers.lane_sequence ?? Number.POSITIVE_INFINITY;
    return lane_sequence >= Math.min(first.get(lane) ?? end, known.get(lane) ?? end, end);
  });
}

/** Producers' clocks, and records that came out of order. */
const SLACK_DAYS = 1;

/** Returns by lane the first batch of which the journal itself says that it has records of the range or later. */
async function firstWithUsage(store: Store, range: PeriodRange): Promise<Map<string, number>> {
  const { fromMs } = timesOf(range);
  const charges = (table: string) =>
    `SELECT lane, topic, partition, offset FROM ${table} WHERE kind = 'charge' AND lane != '' AND ${mayCountExpression({ range })}`;
  const charged =
    'SELECT lane, topic, partition, min(offset) AS first_row ' +
    `FROM (${charges('journal')} UNION ALL ${charges('corrections')}) GROUP BY lane, topic, partition`;
  const rows = await store.query<{ lane: string; first: number }>(
    'SELECT lane, min(lane_sequence) AS first FROM (' +
      `SELECT lane, lane_sequence FROM journal INNER JOIN (${charged}) AS charged USING (lane, topic, partition) ` +
      "WHERE kind = 'batch' AND offset >= first_row " +
      "UNION ALL SELECT lane, lane_sequence FROM journal WHERE kind = 'batch' " +
      `AND arrayExists(row -> row.prefix != '' AND toUInt16(row.day) >= ${Math.floor(fromMs / DAY_MS)}, leakage)) GROUP BY lane`,
  );
  return new Map(rows.map(({ lane, first }) => [lane, Number(first)]));
}
