import type { Catalogue } from '../billing/catalogue.ts';
import { catalogueFromCanonicalJson } from '../billing/catalogue-compile.ts';
import type { ReadOnlyEngine } from './read-only-engine.ts';

/** Asks the store for what the pages show. Sums are bigint: a year of a sponsor may pass 2^53. */
export class PageData {
  readonly #engine: ReadOnlyEngine;

  constructor(engine: ReadOnlyEngine) {
    this.#engine = engine;
  }

  /** The catalogue of the newest batch; null before the first. */
  async catalogue(): Promise<Catalogue | null> {
    const [row] = await this.#rows<{ document: string }>(
      'SELECT document FROM catalogues WHERE hash = ' +
        '(SELECT argMax(catalogue_hash, (booking_date, lane_sequence)) FROM batches) LIMIT 1',
    );
    return row === undefined ? null : catalogueFromCanonicalJson(row.document);
  }

  accounts(): Promise<Account[]> {
    return this.#rows<Account>(
      'SELECT sponsor_id AS sponsorId, currency, credited_micros AS creditedMicros, charged_micros AS chargedMicros, ' +
        'balance_micros AS balanceMicros, sponsor_id IN (SELECT sponsor_id FROM suspensions GROUP BY sponsor_id ' +
        'HAVING argMax(suspended, number) = 1) AS isSuspended FROM account_balances ORDER BY sponsor_id, currency',
    );
  }

  /** Months with usage, the newest first, as `2026-10`. */
  async months(): Promise<string[]> {
    const rows = await this.#rows<{ name: string }>(
      "SELECT DISTINCT formatDateTime(month, '%Y-%m') AS name FROM booking_totals ORDER BY name DESC",
    );
    return rows.map(({ name }) => name);
  }

  /** What each sponsor used in a month, and what came of it. */
  usageBySponsor(month: string): Promise<(Usage & { sponsorId: string })[]> {
    return this.#rows(
      `SELECT sponsor_id AS sponsorId, ${USAGE} FROM booking_totals WHERE month = {month:Date} ` +
        'GROUP BY sponsor_id, currency ORDER BY sponsor_id, currency',
      [['month', `${month}-01`]],
    );
  }

  /** How far the quotas of a month's periods were used up, by plan. */
  quotas(month: string): Promise<QuotaUse[]> {
    return this.#rows(
      "SELECT plan_id AS planId, sumIf(records, reason = 'quota_reached') AS usedUp, " +
        "sumIf(subscriber_octets, reason = 'quota_exhausted') AS octetsAfter, " +
        'sum(sponsored_octets) AS sponsoredOctets, sum(subscriber_octets) AS subscriberOctets ' +
        'FROM booking_totals WHERE month = {month:Date} GROUP BY plan_id ORDER BY plan_id',
      [['month', `${month}-01`]],
    );
  }

  /** Of one sponsor and month, cut by `by`. */
  usageBy(
    by: 'booking_date' | 'application_id' | 'content_type' | 'month',
    sponsorId: string,
    month: string | null,
  ): Promise<NamedUsage[]> {
    const ofMonth = month === null ? '' : 'AND month = {month:Date} ';
    return this.#rows(
      `SELECT toString(${by}) AS name, ${USAGE} FROM booking_totals WHERE sponsor_id = {sponsor:String} ${ofMonth}` +
        `GROUP BY ${by}, currency ORDER BY ${by === 'booking_date' || by === 'month' ? by : 'chargeMicros DESC'}`,
      [['sponsor', sponsorId], ...(month === null ? [] : [['month', `${month}-01`] as [string, string]])],
    );
  }

  /** The lines of one sponsor's month: charges, and what corrections took back and charged anew. */
  lines(sponsorId: string, month: string): Promise<Line[]> {
    return this.#rows(
      'SELECT application_id AS applicationId, plan_id AS planId, plan_version AS planVersion, ' +
        `origin != 'charge' AS isCorrection, ${USAGE} FROM booking_totals ` +
        'WHERE sponsor_id = {sponsor:String} AND month = {month:Date} ' +
        'GROUP BY applicationId, planId, planVersion, isCorrection, currency ORDER BY isCorrection, applicationId, planId, planVersion',
      [
        ['sponsor', sponsorId],
        ['month', `${month}-01`],
      ],
    );
  }

  entries(sponsorId: string): Promise<Entry[]> {
    return this.#rows(
      "SELECT number, kind, amount_micros AS amountMicros, currency, formatDateTime(effective_at, '%Y-%m-%d') AS day, who, why " +
        'FROM account_postings WHERE sponsor_id = {sponsor:String} ORDER BY booked_at DESC, number DESC LIMIT 50',
      [['sponsor', sponsorId]],
    );
  }

  closings(sponsorId: string): Promise<Closing[]> {
    return this.#rows(
      "SELECT formatDateTime(month, '%Y-%m') AS name, formatDateTime(closed_at, '%Y-%m-%d') AS day, who, " +
        'charge_micros + adjustment_micros AS chargeMicros, closing_micros AS closingMicros FROM closings ' +
        'WHERE sponsor_id = {sponsor:String} ORDER BY month DESC',
      [['sponsor', sponsorId]],
    );
  }

  async #rows<T>(sql: string, parameters: [name: string, value: string][] = []): Promise<T[]> {
    const settings: [string, string][] = [
      ...parameters.map(([name, value]): [string, string] => [`param_${name}`, value]),
      ['output_format_json_quote_64bit_integers', '1'],
    ];
    const { result } = await this.#engine.ask({ sql, settings, database: null, defaultFormat: 'JSONEachRow' });
    const lines = result
      .text()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line, bigOfText)) as T[];
  }
}

/** ClickHouse's 64-bit integers stand in quotes; by their names they are told from texts of digits. */
function bigOfText(name: string, value: unknown): unknown {
  return typeof value === 'string' && COUNTS.test(name) ? BigInt(value) : value;
}

const COUNTS = /(Micros|Octets|octetsAfter|records|usedUp|number)$/;
const USAGE =
  'currency, sum(records) AS records, sum(sponsored_octets) AS sponsoredOctets, ' +
  'sum(subscriber_octets) AS subscriberOctets, sum(charge_micros) AS chargeMicros';

export interface Account {
  sponsorId: string;
  currency: string;
  creditedMicros: bigint;
  chargedMicros: bigint;
  balanceMicros: bigint;
  isSuspended: number;
}

export interface Usage {
  currency: string;
  records: bigint;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

export interface NamedUsage extends Usage {
  name: string;
}

export interface Line extends Usage {
  applicationId: string;
  planId: string;
  planVersion: number;
  isCorrection: number;
}

export interface QuotaUse {
  planId: string;
  usedUp: bigint;
  octetsAfter: bigint;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
}

export interface Entry {
  number: bigint;
  kind: string;
  amountMicros: bigint;
  currency: string;
  day: string;
  who: string;
  why: string;
}

export interface Closing {
  name: string;
  day: string;
  who: string;
  chargeMicros: bigint;
  closingMicros: bigint;
}
