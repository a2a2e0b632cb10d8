import { literal, type Store } from '../../platform/clickhouse/store.ts';
import {
  type Completeness,
  completenessSchema,
  type Settlement,
  type StatementLine,
} from '../statements/statement-document.ts';
import { type Coverage, coveredJournal } from './coverage.ts';
import { readMissingRecords } from './node-gaps.ts';
import { readSettlements, settledAtMonthEnd } from './settlement.ts';
import { lateRecordsOf, type UsageCell } from './usage-cells.ts';

/** What was known of a month when it was closed: its completeness, or only the sum of late records. */
type Frozen = { completeness: Completeness } | { lateRecords: LateSum };
type LateSum = Omit<Completeness['lateRecords'], 'settlements'>;

/**
 * Returns the last days on which the lines of a statement are booked in time; of a closed month as agreed when it was
 * closed.
 */
export async function readStatementSettlements(
  store: Store,
  coverage: Coverage,
  lines: readonly StatementLine[],
): Promise<Settlement[]> {
  const frozen = frozenOf(coverage);
  if (frozen === null) return readSettlements(store, coverage, lines);
  return 'completeness' in frozen ? frozen.completeness.lateRecords.settlements : lines.map(settledAtMonthEnd);
}

/** Returns the missing, rejected and late records of the sponsor's own; of a closed month as known when it was closed. */
export async function readCompleteness(
  store: Store,
  coverage: Coverage,
  cells: readonly UsageCell[],
  settlements: readonly Settlement[],
): Promise<Completeness> {
  const frozen = frozenOf(coverage);
  if (frozen !== null && 'completeness' in frozen) return frozen.completeness;
  const late = frozen?.lateRecords ?? lateRecordsOf(cells);
  return {
    missingRecords: await readMissingRecords(store, coverage),
    rejections: await readRejections(store, coverage),
    lateRecords: { ...late, settlements: [...settlements] },
    sourceGaps: await readSourceGaps(store, coverage),
  };
}

/**
 * Returns the frozen completeness. A month that was closed by an older program has nodes, and counts of all sponsors, so its
 * completeness is read again.
 */
function frozenOf({ closing }: Coverage): Frozen | null {
  if (closing === null) return null;
  const frozen = JSON.parse(closing.completeness);
  if ('missingRecords' in frozen) return { completeness: completenessSchema.parse(frozen) };
  const { records, sponsoredOctets, chargeMicros } = frozen.lateRecords;
  return {
    lateRecords: { records, sponsoredOctets: BigInt(sponsoredOctets), chargeMicros: BigInt(chargeMicros) },
  };
}

/** Returns the sponsor's own rejections: a record that names no application is no sponsor's. */
async function readRejections(store: Store, coverage: Coverage): Promise<Completeness['rejections']> {
  const rows = await store.query<{ reason: string; records: number }>(
    "SELECT reason, count() AS records FROM journal WHERE kind = 'rejection' " +
      `AND sponsor_id = ${literal(coverage.sponsorId)} AND ${coveredJournal(coverage, 'toStartOfMonth(period_start)')} ` +
      'GROUP BY reason ORDER BY records DESC, reason',
  );
  return rows.map(({ reason, records }) => ({ reason, records: Number(records) }));
}

async function readSourceGaps(store: Store, coverage: Coverage): Promise<Completeness['sourceGaps']> {
  const rows = await store.query<Record<string, string>>(
    'SELECT DISTINCT gap_reason, toString(booking_date) AS booked_on FROM journal ' +
      `WHERE kind = 'batch' AND gap_reason NOT IN ('', 'start_position') AND ${coveredJournal(coverage, 'toStartOfMonth(booking_date)')} ` +
      'ORDER BY booked_on, gap_reason',
  );
  return rows.map(({ gap_reason, booked_on }) => ({ reason: gap_reason, bookingDate: booked_on }));
}
