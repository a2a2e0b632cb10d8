import { literal, type Store } from '../../platform/clickhouse/store.ts';

/** Most logs that one statement names: it stays short, and quick to compare with the index. */
const LOGS_A_STATEMENT = 100;

/** A log, and the last offset that is booked of it. */
export interface LogEnd {
  lane: string;
  topic: string;
  partition: number;
  last: number;
}

/** The last offset that a reader has read of each log of the journal: it reads what was booked since, and nothing twice. */
export class LogGrowth {
  readonly #store: Store;
  /** Logs that moved last come last. */
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
   * Calls `read` with a condition on new rows of `journal`, some logs at a time, and keeps their ends once it resolves. The
   * condition stops at the ends: what is booked meanwhile is read the next time.
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
   * Returns the ends of logs, read from batch rows alone. For the logs that moved last, the query names the known ends, so
   * that the index skips their older rows. Of all other logs, which may be done or new, every batch row is read.
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
