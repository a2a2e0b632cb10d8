import { rawRecords } from '../../engine/engine.fixture.ts';
import { chatRecord } from '../../engine/traffic.fixture.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { Source } from '../../sources/source.ts';

export const TICK_MS = 50;
export const RECORD_OCTETS = 2 ** 20;
const START_MS = Date.UTC(2026, 10, 30, 12);

/** Returns a source with a record of a MiB for every step of the clock. */
export function pacedSource(
  records: number,
  clock: Pick<SteppedClock, 'step' | 'nowMs'>,
  beforeRecord: (record: number) => Promise<void> = async () => {},
  log: TopicPartition = { topic: 'paced', partition: 0, lane: 'paced-0' },
): Source {
  return {
    async run(listener) {
      await listener.assign(log, async () => null);
      for (let record = 0; record < records; record++) {
        await clock.step(TICK_MS);
        await beforeRecord(record);
        const flow = chatRecord({ localSequenceNumber: record, uplinkOctets: 0, downlinkOctets: RECORD_OCTETS });
        await listener.deliver(log, rawRecords([flow], clock.nowMs(), record), decodeJson);
      }
      await listener.flush(log);
      await listener.revoke(log);
    },
    stop: async () => {},
    reassign: (_log, error) => {
      throw error;
    },
    acknowledge: () => {},
  };
}

/** A store that counts the queries in progress. */
export class CountedStore {
  readonly store: Store;
  #waiting = 0;

  constructor(store: Store) {
    const counted = async <T>(call: Promise<T>): Promise<T> => {
      this.#waiting++;
      try {
        return await call;
      } finally {
        this.#waiting--;
      }
    };
    this.store = {
      ...store,
      query: <T>(sql: string) => counted(store.query<T>(sql)),
      stream: (sql, format) => counted(store.stream(sql, format)),
      command: (sql) => counted(store.command(sql)),
      insertBlock: (insert, structure, block) => counted(store.insertBlock(insert, structure, block)),
    };
  }

  /** Resolves when no query is in progress, and no answered caller sends another. */
  async quiet(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet = this.#waiting === 0 ? quiet + 1 : 0) await new Promise(setImmediate);
  }
}

/** A clock that passes in steps; what falls due in one is done, with its store queries, before the next. */
export class SteppedClock implements Clock {
  readonly #store: CountedStore;
  readonly #timers: { atMs: number; call: () => void }[] = [];
  #passedMs = 0;

  constructor(store: CountedStore) {
    this.#store = store;
  }

  nowMs(): number {
    return START_MS + this.#passedMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  after(ms: number, call: () => void): () => void {
    const timer = { atMs: this.#passedMs + ms, call };
    this.#timers.push(timer);
    return () => {
      timer.call = () => {};
    };
  }

  async step(ms: number): Promise<void> {
    this.#passedMs += ms;
    for (let at = 0; at < this.#timers.length; ) {
      if (this.#timers[at].atMs > this.#passedMs) at++;
      else this.#timers.splice(at, 1)[0].call();
    }
    await this.#store.quiet();
  }
}
