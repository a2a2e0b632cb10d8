import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { catalogueFromCanonicalJson } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { PlanTimeZone } from '../statements/statement-document.ts';
import type { ReadOnlyEngine } from './read-only-engine.ts';

/** Queries the store for what the pages show. Sums are bigint: a year of a sponsor may pass 2^53. */
export class PageData {
  readonly #engine: ReadOnlyEngine;

  constructor(engine: ReadOnlyEngine) {
    this.#engine = engine;
  }

  /** Returns the catalogue of the newest batch; null before the first. */
  async catalogue(): Promise<Catalogue | null> {
    const [row] = await this.#rows<{ document: string }>(
      `SELECT document FROM ${KEPT_CATALOGUES} WHERE hash = ` +
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

  /** Returns months with usage, the newest first, as `2026-10`. */
  async months(): Promise<string[]> {
    const rows = await this.#rows<{ name: string }>(
      "SELECT DISTINCT formatDateTime(month, '%Y-%m') AS name FROM booking_totals ORDER BY name DESC",
    );
    return rows.map(({ name }) => name);
  }

  /** Returns each sponsor's usage and charges in a month. */
  usageBySponsor(month: string): Promise<(Usage & { sponsorId: string })[]> {
    return this.#rows(
      `SELECT sponsor_id AS sponsorId, ${USAGE} FROM booking_totals WHERE month = {month:Date} ` +
        'GROUP BY sponsor_id, currency ORDER BY sponsor_id, currency',
      [['month', `${month}-01`]],
    );
  }

  /** Returns how far the quotas of a month's periods were used up, by plan. */
  quotas(month: string): Promise<QuotaUse[]> {
    return this.#rows(
      "SELECT plan_id AS planId, sumIf(records, reason = 'quota_reached') AS usedUp, " +
        "sumIf(subscriber_octets, reason = 'quota_exhausted') AS octetsAfter, " +
        'sum(sponsored_octets) AS sponsoredOctets, sum(subscriber_octets) AS subscriberOctets ' +
        'FROM booking_totals WHERE month = {month:Date} GROUP BY plan_id ORDER BY plan_id',
      [['month', `${month}-01`]],
    );
  }

  /** Returns the usage of one sponsor and month, by `by`. */
  usageBy(
    by: 'application_id' | 'content_type' | 'month',
    sponsorId: string,
    month: string | null,
  ): Promise<NamedUsageRow[]> {
    const ofMonth = month === null ? '' : 'AND month = {month:Date} ';
    return this.#rows(
      `SELECT toString(${by}) AS name, ${USAGE} FROM booking_totals WHERE sponsor_id = {sponsor:String} ${ofMonth}` +
        `GROUP BY ${by}, currency ORDER BY ${by === 'month' ? by : 'chargeMicros DESC'}`,
      [['sponsor', sponsorId], ...(month === null ? [] : [['month', `${month}-01`] as [string, string]])],
    );
  }

  /** Returns usage and charges of all sponsors, by month and currency. */
  usageByMonth(): Promise<NamedUsageRow[]> {
    return this.#rows(
      `SELECT formatDateTime(month, '%Y-%m') AS name, ${USAGE} FROM booking_totals GROUP BY month, currency ORDER BY month, currency`,
    );
  }

  /** Returns usage by day of use in each plan's time zone; `day_of_use` may be of another month than its statement. */
  usageByDay(month: string, sponsorId: string | null): Promise<DayUsageRow[]> {
    return this.#ofMonth(
      `SELECT toString(day_of_use) AS day, ${USAGE} FROM usage_by_day WHERE month = {month:Date}`,
      'GROUP BY day_of_use, currency ORDER BY day_of_use, currency',
      month,
      sponsorId,
    );
  }

  /** Returns usage by day of booking. */
  usageByBookingDay(month: string, sponsorId: string | null): Promise<DayUsageRow[]> {
    return this.#ofMonth(
      `SELECT toString(booking_date) AS day, ${USAGE} FROM booking_totals WHERE month = {month:Date}`,
      'GROUP BY booking_date, currency ORDER BY booking_date, currency',
      month,
      sponsorId,
    );
  }

  /** Returns the time zones of the plans that a month's usage was rated under. */
  timeZones(month: string, sponsorId: string | null): Promise<PlanTimeZone[]> {
    return this.#ofMonth(
      'SELECT plan_id AS planId, plan_version AS planVersion, any(time_zone) AS timeZone FROM usage_by_day WHERE month = {month:Date}',
      'GROUP BY plan_id, plan_version ORDER BY plan_id, plan_version',
      month,
      sponsorId,
    );
  }

  /** Returns months in which batches were booked, the newest first. */
  async bookingMonths(): Promise<string[]> {
    const rows = await this.#rows<{ name: string }>(
      "SELECT DISTINCT formatDateTime(toStartOfMonth(booking_date), '%Y-%m') AS name FROM batches ORDER BY name DESC",
    );
    return rows.map(({ name }) => name);
  }

  /** Returns the outcomes of the records booked in a month, by reason and application. */
  outcomes(month: string): Promise<OutcomeRow[]> {
    return this.#rows(
      'SELECT reason, application_id AS applicationId, sum(records) AS records, sum(octets) AS allOctets FROM outcomes ' +
        'WHERE toStartOfMonth(booking_date) = {month:Date} GROUP BY reason, applicationId ORDER BY allOctets DESC, reason, applicationId',
      [['month', `${month}-01`]],
    );
  }

  /** Returns what corrections charge of the records that were booked as unsponsored in a month: their number, and their octets. */
  async sponsoredLater(month: string): Promise<{ records: bigint; allOctets: bigint }> {
    const [row] = await this.#rows<{ records: bigint; allOctets: bigint }>(
      'SELECT count() AS records, sum(uplink_octets) + sum(downlink_octets) AS allOctets FROM sponsored_later ' +
        'WHERE toStartOfMonth(record_booked_on) = {month:Date}',
      [['month', `${month}-01`]],
    );
    return row;
  }

  /**
   * Returns where the unsponsored octets of a month's last booking day come from, the most octets first, beside those of the day before
   * it. What has no row of its own in its batch is left out.
   */
  leakage(month: string): Promise<LeakageSource[]> {
    return this.#rows(
      'WITH (SELECT max(booking_date) FROM leakage WHERE toStartOfMonth(booking_date) = {month:Date}) AS last_day ' +
        'SELECT toString(last_day) AS day, reason, application_id AS applicationId, remote_prefix AS prefix, tag, node_id AS nodeId, ' +
        'sumIf(octets, booking_date = last_day) AS allOctets, sumIf(octets, booking_date = last_day - 1) AS beforeOctets ' +
        'FROM leakage WHERE booking_date BETWEEN last_day - 1 AND last_day AND NOT is_remainder ' +
        'GROUP BY reason, applicationId, prefix, tag, nodeId HAVING allOctets > 0 ' +
        `ORDER BY allOctets DESC, reason, applicationId, prefix, tag, nodeId LIMIT ${LEAKAGE_SOURCES}`,
      [['month', `${month}-01`]],
    );
  }

  #ofMonth<T>(head: string, tail: string, month: string, sponsorId: string | null): Promise<T[]> {
    const ofSponsor = sponsorId === null ? '' : ' AND sponsor_id = {sponsor:String}';
    const parameters: [string, string][] = [['month', `${month}-01`]];
    if (sponsorId !== null) parameters.push(['sponsor', sponsorId]);
    return this.#rows(`${head}${ofSponsor} ${tail}`, parameters);
  }

  /** Returns the lines of one sponsor's month: charges, reversals and re-rated charges. */
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

  closings(sponsorId: string): Promise<ClosingRow[]> {
    return this.#rows(
      "SELECT formatDateTime(month, '%Y-%m') AS name, formatDateTime(closed_at, '%Y-%m-%d') AS day, who, " +
        'if(amount_due_micros IS NULL, charge_micros + adjustment_micros, taxable_micros + tax_micros) AS billedMicros, ' +
        'closing_micros AS closingMicros FROM closings ' +
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

/**
 * Converts 64-bit integers, which ClickHouse writes in quotes: the names of such columns distinguish them from texts of
 * digits.
 */
function bigOfText(name: string, value: unknown): unknown {
  return typeof value === 'string' && COUNTS.test(name) ? BigInt(value) : value;
}

const COUNTS = /(Micros|Octets|octetsAfter|records|usedUp|number)$/;
const LEAKAGE_SOURCES = 25;
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

export interface NamedUsageRow extends Usage {
  name: string;
}

export interface DayUsageRow extends Usage {
  day: string;
}

export interface OutcomeRow {
  reason: string;
  applicationId: string;
  records: bigint;
  allOctets: bigint;
}

/** One network, tag and gateway that unsponsored octets come from. */
export interface LeakageSource {
  /** The day of booking. */
  day: string;
  reason: string;
  /** Empty where the evidence names none. */
  applicationId: string;
  prefix: string;
  tag: string;
  nodeId: string;
  allOctets: bigint;
  beforeOctets: bigint;
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

export interface ClosingRow {
  name: string;
  day: string;
  who: string;
  /** Charges, adjustments and tax, after rounding. */
  billedMicros: bigint;
  closingMicros: bigint;
}
