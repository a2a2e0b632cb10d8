import { literal, type Store } from '../platform/store.ts';
import { type Coverage, coveredBookings } from './coverage.ts';
import { dateLiteral } from './month.ts';
import type { Statement, StatementCorrection, StatementUsage } from './statement-document.ts';

const SUMS =
  'toString(sum(sponsored_octets)) AS sponsored, toString(sum(subscriber_octets)) AS subscriber, ' +
  'toString(sum(charge_micros)) AS micros';

/** The corrections covered, by usage month. */
export async function readCorrections(store: Store, coverage: Coverage): Promise<StatementCorrection[]> {
  const sums =
    `SELECT correction_number, month, count() AS booked, ${SUMS} FROM bookings ` +
    `WHERE origin != 'charge' AND ${coveredBookings(coverage)} GROUP BY correction_number, month`;
  const rows = await store.query<Record<string, string | number>>(
    'SELECT correction_number, substring(toString(month), 1, 7) AS usage, booked, sponsored, subscriber, micros, correction, who, why ' +
      `FROM (${sums}) AS sums INNER JOIN (SELECT number, correction, who, why FROM corrections WHERE kind = 'head') AS heads ` +
      'ON heads.number = sums.correction_number ORDER BY correction_number, usage',
  );
  return rows.map((row) => ({
    number: Number(row.correction_number),
    name: String(row.correction),
    who: String(row.who),
    why: String(row.why),
    usageMonth: String(row.usage),
    isAdjustment: row.usage !== coverage.month,
    rows: Number(row.booked),
    ...usageOf(row),
  }));
}

/** The month itself, corrections included, by day, application and content type. */
export async function readUsage(
  store: Store,
  coverage: Coverage,
): Promise<Pick<Statement, 'byDay' | 'byApplication' | 'byContentType'>> {
  const by = async (key: string) =>
    store.query<Record<string, string>>(
      `SELECT ${key} AS key, ${SUMS} FROM bookings ` +
        `WHERE ${coveredBookings(coverage)} AND month = ${dateLiteral(coverage.month)} GROUP BY key ORDER BY key`,
    );
  const [days, applications, contentTypes] = [
    await by('toString(toDate(start_time))'),
    await by('application_id'),
    await by('toString(content_type)'),
  ];
  return {
    byDay: days.map((row) => ({ day: row.key, ...usageOf(row) })),
    byApplication: applications.map((row) => ({ applicationId: row.key, ...usageOf(row) })),
    byContentType: contentTypes.map((row) => ({ contentType: row.key, ...usageOf(row) })),
  };
}

/** Currencies of the rows and entries covered that are not the sponsor's: one statement has one currency. */
export async function readOtherCurrencies(
  store: Store,
  conditions: { bookings: string; entries: string },
  currency: string,
): Promise<string[]> {
  const rows = await store.query<{ currency: string }>(
    `SELECT DISTINCT currency FROM (SELECT currency FROM bookings WHERE ${conditions.bookings} ` +
      `UNION ALL SELECT currency FROM account_entries WHERE ${conditions.entries}) ` +
      `WHERE currency != ${literal(currency)} ORDER BY currency`,
  );
  return rows.map(({ currency }) => currency);
}

function usageOf(row: Record<string, string | number>): StatementUsage {
  return {
    sponsoredOctets: BigInt(row.sponsored),
    subscriberOctets: BigInt(row.subscriber),
    chargeMicros: BigInt(row.micros),
  };
}
