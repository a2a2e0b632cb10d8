import { literal, type Store } from '../platform/store.ts';

/** So many logs a statement names at most: it stays short, and quick to hold against the index. */
const LOGS_A_STATEMENT = 100;

/** A log, and the last offset that is booked of it. */
interface LogEnd {
  lane: string;
  topic: string;
  partition: number;
  last: number;
}

interface Sum {
  sponsor: string;
  currency: string;
  /** Decimal text: a sum may pass 2^53. */
  micros: string;
}

const SUM = 'sponsor_id AS sponsor, currency, toString(sum(charge_micros)) AS micros';

/**
 * What every sponsor was charged, in batches and corrections. The sums are kept, with how far each log is in them: a look
 * at them reads what was booked since.
 */
export class ChargeTotals {
  readonly #store: Store;
  readonly #micros = new Map<string, bigint>();
  /** How far each log is summed; those that moved last come last. */
  readonly #summed = new Map<string, LogEnd>();
  #lastCorrection = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Micro-units, as of the last update. */
  of(sponsorId: string, currency: string): bigint {
    return this.#micros.get(`${currency} ${sponsorId}`) ?? 0n;
  }

  /** Adds what was booked since the last call; at the first one, everything. After a StoreError it may be called again. */
  async update(): Promise<void> {
    if (this.#summed.size === 0) await this.#addAll();
    else await this.#addMoved();
    await this.#addCorrections();
  }

  /** One statement reads charges and ends, so that they are of one moment. */
  async #addAll(): Promise<void> {
    const sums = await this.#store.query<Sum & LogEnd>(
      `SELECT lane, topic, partition, maxIf(offset, kind = 'batch') AS last, ${SUM} FROM journal ` +
        "WHERE kind != 'rejection' GROUP BY lane, topic, partition, sponsor, currency",
    );
    this.#add(sums);
    // A batch row has no sponsor.
    for (const end of sums.filter(({ sponsor }) => sponsor === '')) this.#keep(end);
  }

  async #addMoved(): Promise<void> {
    const moved = (await this.#logEnds()).filter((end) => Number(end.last) > this.#lastOf(end));
    for (let at = 0; at < moved.length; at += LOGS_A_STATEMENT) {
      const ends = moved.slice(at, at + LOGS_A_STATEMENT);
      this.#add(await this.#charges(ends));
      for (const end of ends) this.#keep(end);
    }
  }

  /**
   * Where logs end, read from batch rows alone. Of the logs that moved lately the index is told how far they are known, so
   * that it passes over their older rows; of all others, which may be done or new, every batch row is read.
   */
  #logEnds(): Promise<LogEnd[]> {
    const lately = [...this.#summed.values()].slice(-LOGS_A_STATEMENT);
    const known = lately.map((end) => `NOT (${isOf(end)} AND offset <= ${end.last})`).join(' AND ');
    return this.#store.query(
      'SELECT lane, topic, partition, max(offset) AS last FROM journal ' +
        `WHERE kind = 'batch' AND indexHint(${known}) GROUP BY lane, topic, partition`,
    );
  }

  /** Up to the ends and no further: what is booked meanwhile is for the next time. */
  #charges(ends: readonly LogEnd[]): Promise<Sum[]> {
    const parts = ends.map((end) => `(${isOf(end)} AND offset > ${this.#lastOf(end)} AND offset <= ${end.last})`);
    return this.#store.query(
      `SELECT ${SUM} FROM journal WHERE kind = 'charge' AND (${parts.join(' OR ')}) GROUP BY sponsor, currency`,
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

  #lastOf(end: LogEnd): number {
    return this.#summed.get(nameOf(end))?.last ?? -1;
  }

  #keep(end: LogEnd): void {
    this.#summed.delete(nameOf(end));
    this.#summed.set(nameOf(end), { ...end, last: Number(end.last) });
  }
}

function isOf({ lane, topic, partition }: LogEnd): string {
  return `lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`;
}

function nameOf({ lane, topic, partition }: LogEnd): string {
  return JSON.stringify([lane, topic, partition]);
}
