import type { Store } from '../platform/store.ts';
import { type Coverage, coveredJournal } from './coverage.ts';
import { readNodeGaps } from './node-gaps.ts';
import { type Completeness, completenessSchema } from './statement-document.ts';
import { lateRecordsOf, type UsageCell } from './usage-cells.ts';

/** What is known to be missing, rejected or late; of a closed month as it was known then. */
export async function readCompleteness(
  store: Store,
  coverage: Coverage,
  cells: readonly UsageCell[],
): Promise<Completeness> {
  if (coverage.closing !== null) return completenessSchema.parse(JSON.parse(coverage.closing.completeness));
  return {
    sequenceGaps: await readNodeGaps(store, coverage),
    rejections: await readRejections(store, coverage),
    lateRecords: lateRecordsOf(cells),
    sourceGaps: await readSourceGaps(store, coverage),
  };
}

async function readRejections(store: Store, coverage: Coverage): Promise<Completeness['rejections']> {
  const startMs = "JSONExtractInt(payload, 'startTime')";
  // 2149-01-01: what lies beyond no Date can name.
  const isUsable = `JSONType(payload, 'startTime') = 'Int64' AND ${startMs} BETWEEN 0 AND 5648745600000`;
  const month = `toStartOfMonth(if(${isUsable}, toDate(fromUnixTimestamp64Milli(${startMs}, 'UTC')), booking_date))`;
  const rows = await store.query<{ reason: string; records: number }>(
    `SELECT reason, count() AS records FROM journal WHERE kind = 'rejection' AND ${coveredJournal(coverage, month)} ` +
      'GROUP BY reason ORDER BY records DESC, reason',
  );
  return rows.map(({ reason, records }) => ({ reason, records: Number(records) }));
}

async function readSourceGaps(store: Store, coverage: Coverage): Promise<Completeness['sourceGaps']> {
  const rows = await store.query<Record<string, string | number>>(
    'SELECT topic, partition, gap_reason, first_offset, offset AS last_offset, toString(booking_date) AS booked_on FROM journal ' +
      `WHERE kind = 'batch' AND gap_reason NOT IN ('', 'start_position') AND ${coveredJournal(coverage, 'toStartOfMonth(booking_date)')} ` +
      'ORDER BY topic, partition, last_offset',
  );
  return rows.map((row) => ({
    topic: String(row.topic),
    partition: Number(row.partition),
    reason: String(row.gap_reason),
    firstLostOffset: Number(row.first_offset),
    lastLostOffset: Number(row.last_offset),
    bookingDate: String(row.booked_on),
  }));
}
