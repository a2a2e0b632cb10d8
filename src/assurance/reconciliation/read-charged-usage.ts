import type { Store } from '../../platform/clickhouse/store.ts';
import type { ReportRange } from './read-reports.ts';
import type { ChargedUsage } from './reconcile.ts';

/** Returns the charged records that start in the range, also those that a correction charged first. Rejects with a StoreError. */
export async function readChargedUsage(store: Store, { fromMs, toMs }: ReportRange): Promise<ChargedUsage[]> {
  const usage = (pseudonym: string, from: string) =>
    `SELECT ${pseudonym} AS subscriber, sponsor_id AS sponsorId, application_id AS applicationId, toString(content_type) AS contentType, ` +
    'toUnixTimestamp64Milli(start_time) AS startTimeMs, toUnixTimestamp64Milli(end_time) AS endTimeMs, ' +
    `uplink_octets + downlink_octets AS octets, sponsored_octets AS sponsoredOctets FROM ${from} ` +
    `WHERE start_time >= fromUnixTimestamp64Milli(${fromMs}) AND start_time < fromUnixTimestamp64Milli(${toMs})`;
  const rows = await store.query<ChargedUsage>(
    `${usage('subscriber', 'charges')} UNION ALL ${usage('lower(hex(subscriber))', 'sponsored_later')}`,
  );
  // Some interfaces return numbers as text.
  return rows.map((row) => ({
    ...row,
    startTimeMs: Number(row.startTimeMs),
    endTimeMs: Number(row.endTimeMs),
    octets: Number(row.octets),
    sponsoredOctets: Number(row.sponsoredOctets),
  }));
}
