import type { Store } from '../../platform/clickhouse/store.ts';
import type { Month } from '../month.ts';
import { sumOf } from '../statements/statement-arithmetic.ts';
import type {
  Completeness,
  PlanTimeZone,
  Settlement,
  Statement,
  StatementCorrection,
  StatementUsage,
} from '../statements/statement-document.ts';
import { type Coverage, coveredBookings } from './coverage.ts';
import { dayOfUseExpression } from './plan-time-zones.ts';
import { lateExpression } from './settlement.ts';

/** Covered rows that are equal in all that a statement distinguishes beside its lines, added up. */
export interface UsageCell extends StatementUsage {
  /** 0: charges as they were booked. */
  correctionNumber: number;
  usageMonth: Month;
  currency: string;
  /** Day of use, in the plan's time zone. */
  day: string;
  applicationId: string;
  contentType: string;
  /** Of a month that was closed earlier, or booked after the settlement time. */
  isLate: boolean;
  rows: number;
}

/** Reads all covered rows in one query: as many cells as there are days, applications and content types, not rows. */
export async function readUsageCells(
  store: Store,
  coverage: Coverage,
  zones: readonly PlanTimeZone[],
  settlements: readonly Settlement[],
): Promise<UsageCell[]> {
  const rows = await store.query<Record<string, string | number>>(
    `SELECT correction_number, substring(toString(month), 1, 7) AS usage, currency, toString(${dayOfUseExpression(zones)}) AS day, ` +
      `application_id, toString(content_type) AS content, ${lateExpression(coverage.month, settlements)} AS late, count() AS booked, ` +
      'toString(sum(sponsored_octets)) AS sponsored, toString(sum(subscriber_octets)) AS subscriber, ' +
      `toString(sum(charge_micros)) AS micros FROM bookings WHERE ${coveredBookings(coverage)} GROUP BY ALL ORDER BY ALL`,
  );
  return rows.map((row) => ({
    correctionNumber: Number(row.correction_number),
    usageMonth: String(row.usage),
    currency: String(row.currency),
    day: String(row.day),
    applicationId: String(row.application_id),
    contentType: String(row.content),
    isLate: Number(row.late) === 1,
    rows: Number(row.booked),
    sponsoredOctets: BigInt(row.sponsored),
    subscriberOctets: BigInt(row.subscriber),
    chargeMicros: BigInt(row.micros),
  }));
}

/** Returns the month itself, corrections included, by day, application and content type. */
export function monthUsage(
  cells: readonly UsageCell[],
  month: Month,
): Pick<Statement, 'byDay' | 'byApplication' | 'byContentType'> {
  const own = cells.filter(({ usageMonth }) => usageMonth === month);
  return {
    byDay: grouped(own, ({ day }) => day).map(([day, cells]) => ({ day, ...summed(cells) })),
    byApplication: grouped(own, ({ applicationId }) => applicationId).map(([applicationId, cells]) => ({
      applicationId,
      ...summed(cells),
    })),
    byContentType: grouped(own, ({ contentType }) => contentType).map(([contentType, cells]) => ({
      contentType,
      ...summed(cells),
    })),
  };
}

/** Returns the sum of the late charges. */
export function lateRecordsOf(cells: readonly UsageCell[]): Omit<Completeness['lateRecords'], 'settlements'> {
  const late = cells.filter(({ isLate, correctionNumber }) => isLate && correctionNumber === 0);
  const { sponsoredOctets, chargeMicros } = summed(late);
  return { records: countOf(late), sponsoredOctets, chargeMicros };
}

/** Returns the covered corrections, by usage month. */
export async function readMonthCorrections(
  store: Store,
  cells: readonly UsageCell[],
  month: Month,
): Promise<StatementCorrection[]> {
  const corrected = cells.filter(({ correctionNumber }) => correctionNumber > 0);
  if (corrected.length === 0) return [];
  const numbers = [...new Set(corrected.map(({ correctionNumber }) => correctionNumber))];
  const heads = await store.query<{ number: number; correction: string; who: string; why: string }>(
    `SELECT number, correction, who, why FROM corrections WHERE kind = 'head' AND number IN (${numbers.join(', ')}) ORDER BY number`,
  );
  return heads.flatMap(({ number, correction, who, why }) => {
    const own = corrected.filter(({ correctionNumber }) => correctionNumber === Number(number));
    return grouped(own, ({ usageMonth }) => usageMonth).map(([usageMonth, cells]) => ({
      number: Number(number),
      name: correction,
      who,
      why,
      usageMonth,
      isAdjustment: usageMonth !== month,
      rows: countOf(cells),
      ...summed(cells),
    }));
  });
}

/** Returns the number of rows in the cells. */
export function countOf(cells: readonly UsageCell[]): number {
  return cells.reduce((count, { rows }) => count + rows, 0);
}

function summed(cells: readonly UsageCell[]): StatementUsage {
  return {
    sponsoredOctets: sumOf(cells, ({ sponsoredOctets }) => sponsoredOctets),
    subscriberOctets: sumOf(cells, ({ subscriberOctets }) => subscriberOctets),
    chargeMicros: sumOf(cells, ({ chargeMicros }) => chargeMicros),
  };
}

/** Groups the cells by key. */
function grouped(cells: readonly UsageCell[], keyOf: (cell: UsageCell) => string): [string, UsageCell[]][] {
  const groups = new Map<string, UsageCell[]>();
  for (const cell of cells) {
    const group = groups.get(keyOf(cell));
    if (group === undefined) groups.set(keyOf(cell), [cell]);
    else group.push(cell);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}
