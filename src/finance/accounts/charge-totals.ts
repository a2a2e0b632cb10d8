import type { Store } from '../../platform/clickhouse/store.ts';
import { type LogEnd, LogGrowth } from '../closing/log-growth.ts';

interface Sum {
  sponsor: string;
  currency: string;
  /** Decimal text: a sum may pass 2^53. */
  micros: string;
}

const SUM = 'sponsor_id AS sponsor, currency, toString(sum(charge_micros)) AS micros';

/**
 * What every sponsor was charged, in batches and corrections. The sums are kept with the last offset of each log, so an
 * update reads only what was booked since.
 */
export class ChargeTotals {
  readonly #store: Store;
  readonly #micros = new Map<string, bigint>();
  readonly #growth: LogGrowth;
  #lastCorrection = 0;

  constructor(store: Store) {
    this.#store = store;
    this.#growth = new LogGrowth(store);
  }

  /** Returns micro-units, as of the last update. */
  of(sponsorId: string, currency: string): bigint {
    return this.#micros.get(`${currency} ${sponsorId}`) ?? 0n;
  }

  /** Adds what was booked since the last call; the first call adds everything. After a StoreError it may be called again. */
  async update(): Promise<void> {
    if (this.#growth.isEmpty) await this.#addAll();
    else await this.#growth.readOn(async (isNew) => this.#add(await this.#charges(isNew)));
    await this.#addCorrections();
  }

  /** Reads charges and ends in one statement, so that they are of one moment. */
  async #addAll(): Promise<void> {
    const sums = await this.#store.query<Sum & LogEnd>(
      `SELECT lane, topic, partition, maxIf(offset, kind = 'batch') AS last, ${SUM} FROM journal ` +
        "WHERE kind != 'rejection' GROUP BY lane, topic, partition, sponsor, currency",
    );
    this.#add(sums);
    // A batch row has no sponsor.
    for (const end of sums.filter(({ sponsor }) => sponsor === '')) this.#growth.keep(end);
  }

  #charges(isNew: string): Promise<Sum[]> {
    return this.#store.query(
      `SELECT ${SUM} FROM journal WHERE kind = 'charge' AND ${isNew} GROUP BY sponsor, currency`,
    );
  }

  async #addCorrections(): Promise<void> {
    const sums = await this.#store.query<Sum & { last: number }>(
      `SELECT ${SUM}, max(number) AS last FROM corrections ` +
        `WHERE kind != 'head' AND number > ${this.#lastCorrection} GROUP BY sponsor, currency`,
    );
    this.#add(sums);
    this.#lastCorrection = Math.max(this.#lastCorrection, ...sums.map(({ last }) => Number(last)));
  }

  #add(sums: readonly Sum[]): void {
    for (const { sponsor, currency, micros } of sums) {
      this.#micros.set(`${currency} ${sponsor}`, this.of(sponsor, currency) + BigInt(micros));
    }
  }
}
