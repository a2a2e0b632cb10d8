import { literal } from './store.ts';

/**
 * Returns SQL for the name by which ClickHouse knows an IANA time zone. Node.js takes names in any case, and ClickHouse only as the time zone
 * database writes them.
 */
export function zoneName(timeZone: string): string {
  return `(SELECT any(time_zone) FROM system.time_zones WHERE lower(time_zone) = lower(${literal(timeZone)}))`;
}
