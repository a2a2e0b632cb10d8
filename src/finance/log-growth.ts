import { literal, type Store } from '../platform/store.ts';

/** So many logs a statement names at most: it stays short, and quick to hold against the index. */
const LOGS_A_STATEMENT = 100;

/** A log, and the last offset that is booked of it. */
export interface LogEnd {
  lane: string;
  topic: string;
  partition: number;
  last: number;
}

/** How far a reader knows each log of the journal: it reads what was booked since, and nothing twice. */
export class LogGrowth {
  readonly #store: Store;
  /** Those that moved last come last. */
  readonly #known = new Map<string, LogEnd>();

  constructor(store: Store) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  keep(end: LogEnd): void {
    this.#known.delete(nameOf(end));
    this.#known.set(nameOf(end), { ...end, last: Number(end.last) });
  }

  /**
   * Calls `read` with a condition for rows of `journal` that the reader does not know yet, some logs at a time, and keeps
   * their ends once it resolves. Up to the ends and no further: what is booked meanwhile is for the next time.
   */
  async readOn(read: (condition: string) => Promise<void>): Promise<void> {
    const moved = (await this.#ends()).filter((end) => Number(end.last) > this.#lastOf(end));
    for (let at = 0; at < moved.length; at += LOGS_A_STATEMENT) {
      const ends = moved.slice(at, at + LOGS_A_STATEMENT);
      const parts = ends.map((end) => `(${isOf(end)} AND offset > ${this.#lastOf(end)} AND offset <= ${end.last})`);
      await read(`(${parts.join(' OR ')})`);
      for (const end of ends) this.keep(end);
    }
  }

  /**
   * Where logs end, read from batch rows alone. Of the logs that moved lately the index is told how far they are known, so
   * that it passes over their older rows; of all others, which may be done or new, every batch row is read.
   */
  #ends(): Promise<LogEnd[]> {
    const lately = [...this.#known.values()].slice(-LOGS_A_STATEMENT);
    const known = lately.map((end) => `NOT (${isOf(end)} AND offset <= ${end.last})`).join(' AND ');
    const hint = known === '' ? '' : ` AND indexHint(${known})`;
    return this.#store.query(
      `SELECT lane, topic, partition, max(offset) AS last FROM journal WHERE kind = 'batch'${hint} GROUP BY lane, topic, partition`,
    );
  }

  #lastOf(end: LogEnd): number {
    return this.#known.get(nameOf(end))?.last ?? -1;
  }
}

function isOf({ lane, topic, partition }: LogEnd): string {
  return `lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition}`;
}

function nameOf({ lane, topic, partition }: LogEnd): string {
  return JSON.stringify([lane, topic, partition]);
}
