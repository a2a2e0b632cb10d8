import type { Store } from '../platform/clickhouse/store.ts';
import type { LastClosing } from '../rating/catalogue/closed-periods.ts';
import type { Closings } from '../rating/rules.ts';

/** As `periods_ended_by` has it of a closing that left no period open: 2299-12-31 (UTC). */
const NONE_STAYS_OPEN_MS = Date.UTC(2299, 11, 31);

/** The last month that each sponsor's closings have closed, of those that a condition in SQL holds for, in one read. */
export async function readLastClosings(store: Store, condition = 'true'): Promise<Closings> {
  const rows = await store.query<{ sponsor: string; day: number; ended_by: string | number; last: number }>(
    'SELECT sponsor_id AS sponsor, toUInt16(max(month)) AS day, ' +
      'toUnixTimestamp64Milli(argMax(periods_ended_by, month)) AS ended_by, max(number) AS last ' +
      `FROM closings WHERE ${condition} GROUP BY sponsor_id`,
  );
  return {
    lastClosed: new Map(
      rows.map(({ sponsor, day, ended_by }) => [sponsor, { month: Number(day), endedByMs: endedByMs(ended_by) }]),
    ),
    number: Math.max(0, ...rows.map(({ last }) => Number(last))),
  };
}

function endedByMs(stored: string | number): LastClosing['endedByMs'] {
  return Number(stored) >= NONE_STAYS_OPEN_MS ? Number.POSITIVE_INFINITY : Number(stored);
}
