import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { zoneName } from '../../platform/clickhouse/zone-name.ts';
import type { CapUnit, CapWindow } from '../../rating/catalogue.ts';
import { type LogEnd, LogGrowth } from '../closing/log-growth.ts';
import type { WatchedCampaign } from './campaign-rules.ts';

/** A sum of one campaign, period and day; numbers as decimal text. */
interface Sum {
  plan: string;
  /** First day of the period, and the local day of the records' start: days since 1970-01-01. */
  period: number;
  day: number;
  octets: string;
  micros: string;
}

const QUARTER_HOUR_MS = 900_000;

/**
 * What all subscribers together have used of campaigns, by window, in batches and corrections. The sums are kept with the last offset
 * of each log, so an update reads only what was booked since.
 */
export class CampaignUsage {
  readonly #store: Store;
  readonly #campaigns: readonly WatchedCampaign[];
  readonly #growth: LogGrowth;
  readonly #used = new Map<string, bigint>();
  readonly #windows = new Map<string, Set<number>>();
  #lastCorrection = 0;

  constructor(store: Store, campaigns: readonly WatchedCampaign[]) {
    this.#store = store;
    this.#campaigns = campaigns;
    this.#growth = new LogGrowth(store);
  }

  /** Returns sponsored octets, or micro-units, of a window as of the last update. */
  used(campaignId: string, per: CapWindow, unit: CapUnit, windowStart: number): bigint {
    return this.#used.get(`${unit} ${per} ${windowStart} ${campaignId}`) ?? 0n;
  }

  /** Returns the first days of the windows that have usage, ascending; 0 for the whole campaign. */
  windowStarts(campaignId: string, per: CapWindow): number[] {
    return [...(this.#windows.get(`${per} ${campaignId}`) ?? [])].sort((a, b) => a - b);
  }

  /** Adds what was booked since the last call; the first call adds everything. After a StoreError it may be called again. */
  async update(): Promise<void> {
    if (this.#campaigns.length === 0) return;
    if (this.#growth.isEmpty) await this.#addAll();
    else {
      await this.#growth.readOn(async (isNew) => {
        const charges = `journal WHERE kind = 'charge' AND ${this.#isOurs()} AND ${isNew}`;
        this.#add(await this.#store.query<Sum>(this.#sums(charges)));
      });
    }
    await this.#addCorrections();
  }

  /** Reads charges and ends in one statement, so that they are of one moment. */
  async #addAll(): Promise<void> {
    const rows = `journal WHERE kind = 'batch' OR (kind = 'charge' AND ${this.#isOurs()})`;
    const log = 'lane, topic, partition';
    const sums = await this.#store.query<Sum & LogEnd>(
      this.#sums(rows, `${log}, `, "maxIf(offset, kind = 'batch') AS last_offset, ", 'max(last_offset) AS last, '),
    );
    // A batch row has no plan.
    this.#add(sums.filter(({ plan }) => plan !== ''));
    for (const { lane, topic, partition, last } of sums.filter(({ plan }) => plan === '')) {
      this.#growth.keep({ lane, topic, partition, last });
    }
  }

  async #addCorrections(): Promise<void> {
    const corrections = `corrections WHERE kind != 'head' AND number > ${this.#lastCorrection} AND ${this.#isOurs()}`;
    const sums = await this.#store.query<Sum & { last: number }>(
      this.#sums(corrections, '', 'max(number) AS last_number, ', 'max(last_number) AS last, '),
    );
    this.#add(sums);
    this.#lastCorrection = Math.max(this.#lastCorrection, ...sums.map(({ last }) => Number(last)));
  }

  #isOurs(): string {
    return `plan_id IN (${this.#campaigns.map(({ id }) => literal(id)).join(', ')})`;
  }

  /**
   * Returns the statement that sums rows by campaign, period and day in the campaign's time zone. Since 2012 every zone's days begin
   * on a quarter of an hour; of the functions that know time zones only toString takes another one for each row.
   */
  #sums(rows: string, keys = '', inner = '', outer = ''): string {
    const ids = this.#campaigns.map(({ id }) => literal(id)).join(', ');
    const zones = this.#campaigns.map(({ timeZone }) => zoneName(timeZone)).join(', ');
    const zone = `transform(plan, [${ids}], [${zones}], 'UTC')`;
    const day = `toUInt16(toDate(toString(toDateTime64(quarter * ${QUARTER_HOUR_MS / 1000}, 0, 'UTC'), ${zone})))`;
    return (
      `SELECT ${keys}plan, period, ${day} AS day, ${outer}toString(sum(octets)) AS octets, toString(sum(micros)) AS micros FROM (` +
      `SELECT ${keys}plan_id AS plan, toUInt16(period_start) AS period, ` +
      `intDiv(toUnixTimestamp64Milli(start_time), ${QUARTER_HOUR_MS}) AS quarter, ${inner}` +
      'toInt64(sum(sponsored_octets)) AS octets, sum(charge_micros) AS micros ' +
      `FROM ${rows} GROUP BY ${keys}plan, period, quarter) GROUP BY ${keys}plan, period, day`
    );
  }

  #add(sums: readonly Sum[]): void {
    for (const { plan, period, day, octets, micros } of sums) {
      for (const [per, windowStart] of [
        ['day', Number(day)] as const,
        ['period', Number(period)] as const,
        ['whole', 0] as const,
      ]) {
        this.#addTo(`octets ${per} ${windowStart} ${plan}`, BigInt(octets));
        this.#addTo(`money ${per} ${windowStart} ${plan}`, BigInt(micros));
        const starts = this.#windows.get(`${per} ${plan}`) ?? new Set();
        this.#windows.set(`${per} ${plan}`, starts.add(windowStart));
      }
    }
  }

  #addTo(key: string, amount: bigint): void {
    this.#used.set(key, (this.#used.get(key) ?? 0n) + amount);
  }
}
