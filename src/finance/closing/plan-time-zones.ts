import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { PeriodCalendar } from '../../rating/catalogue.ts';
import { dayText } from '../calendar-day.ts';
import type { PlanTimeZone } from '../statements/statement-document.ts';
import { type Coverage, coveredBookings } from './coverage.ts';

const PLANS = "JSONExtract(document, 'plans', 'Array(Tuple(id String, version UInt32, timeZone String))')";

/**
 * Returns the time zones of the plans that the covered rows were rated under, from the first catalogue with the plan's
 * version. It equals the view `plan_time_zones`, and works in a store without that migration. A plan of no kept catalogue is
 * left out.
 */
export async function readPlanTimeZones(store: Store, coverage: Coverage): Promise<PlanTimeZone[]> {
  const covered = `SELECT plan_id, plan_version FROM bookings WHERE ${coveredBookings(coverage)} GROUP BY ALL`;
  const rows = await store.query<PlanTimeZone>(
    'SELECT plan.id AS planId, plan.version AS planVersion, argMin(plan.timeZone, (first_used_at, hash)) AS timeZone ' +
      `FROM ${KEPT_CATALOGUES} ARRAY JOIN ${PLANS} AS plan WHERE (plan.id, plan.version) IN (${covered}) ` +
      'GROUP BY planId, planVersion ORDER BY planId, planVersion',
  );
  return rows.map((row) => ({ ...row, planVersion: Number(row.planVersion) }));
}

/**
 * Returns a ClickHouse expression: the day of use of a row of `bookings`, the local day of its start in its plan's time
 * zone.
 */
export function dayOfUseExpression(zones: readonly PlanTimeZone[]): string {
  if (zones.length === 0) return 'toDate(start_time)';
  const list = (texts: readonly string[]) => `[${texts.map((text) => literal(text)).join(', ')}]`;
  const plans = list(zones.map(({ planId, planVersion }) => planName(planId, planVersion)));
  const names = list(zones.map(({ timeZone }) => timeZone));
  const zone = `transform(concat(toString(plan_version), '/', plan_id), ${plans}, ${names}, 'UTC')`;
  return `toDate(substring(toString(start_time, ${zone}), 1, 10))`;
}

/** The days of use, computed without a store. */
export class DaysOfUse {
  readonly #calendars: ReadonlyMap<string, PeriodCalendar>;
  readonly #utc = new PeriodCalendar('day', 'UTC');

  constructor(zones: readonly PlanTimeZone[]) {
    this.#calendars = new Map(
      zones.map(({ planId, planVersion, timeZone }) => [
        planName(planId, planVersion),
        new PeriodCalendar('day', timeZone),
      ]),
    );
  }

  /** Returns the day as `2026-10-01`. `startTime` is ISO 8601. */
  dayOf(planId: string, planVersion: number | string, startTime: string): string {
    const calendar = this.#calendars.get(planName(planId, planVersion)) ?? this.#utc;
    return dayText(calendar.startDay(Date.parse(startTime)));
  }
}

function planName(planId: string, planVersion: number | string): string {
  return `${planVersion}/${planId}`;
}
