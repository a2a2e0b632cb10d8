import { expect, test } from 'vitest';
import { memoryPublisher, OPEN_STORE, PSEUDONYM_KEY, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { FACTS_MAX_AGE_MS } from '../../engine/engine.ts';
import { chatRecord } from '../../engine/traffic.fixture.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import type { Source } from '../../sources/source.ts';
import { bookEntry } from './book-entry.ts';
import { CreditWatcher } from './credit-watcher.ts';

const TICK_MS = 50;
const MIB = 2 ** 20;
/** One record of a MiB a tick. */
const MICROS_A_RECORD = 1_000_000;
const START_MS = Date.UTC(2026, 10, 30, 12);

interface Settings {
  checkIntervalMs: number;
  maxDelayMs: number;
  /** The limit is passed at another moment between two checks. */
  limitRecords: number;
}

/** Returns the bound that docs/finance/accounts.md states, where the store takes no time. */
function boundMs({ checkIntervalMs, maxDelayMs }: Settings): number {
  return checkIntervalMs + FACTS_MAX_AGE_MS + 2 * maxDelayMs;
}

test.each<Settings>([
  { checkIntervalMs: 1000, maxDelayMs: 500, limitRecords: 20 },
  { checkIntervalMs: 1000, maxDelayMs: 500, limitRecords: 29 },
  { checkIntervalMs: 250, maxDelayMs: 250, limitRecords: 19 },
  { checkIntervalMs: 2500, maxDelayMs: 250, limitRecords: 6 },
])('what is charged past a credit limit stays within the bound of the settings: %o', async (settings) => {
  const records = settings.limitRecords + Math.ceil((1.5 * boundMs(settings)) / TICK_MS);
  const { reasons, overshootRecords } = await runPast(settings, settings.checkIntervalMs, records);
  expect(overshootRecords).toBeGreaterThan(0);
  expect(overshootRecords * TICK_MS).toBeLessThanOrEqual(boundMs(settings));
  // Sponsored up to one batch, suspended from there to the top-up, sponsored again after it.
  expect(reasons.map(([reason]) => reason)).toEqual(['sponsored', 'sponsor_suspended', 'sponsored']);
});

test('a watcher that checks too seldom exceeds the bound', async () => {
  const settings = { checkIntervalMs: 250, maxDelayMs: 250, limitRecords: 19 };
  const { overshootRecords } = await runPast(settings, 5000, 130);
  expect(overshootRecords * TICK_MS).toBeGreaterThan(boundMs(settings));
});

/** Runs engine and watcher in steps of a clock, one record a step; a top-up of the whole debt follows at the end. */
async function runPast({ maxDelayMs, limitRecords }: Settings, checkIntervalMs: number, records: number) {
  const { store, close } = await OPEN_STORE.embedded();
  try {
    const counted = new CountedStore(store);
    const clock = new SteppedClock(counted);
    const catalogue = catalogueOf(limitRecords);
    const watcher = new CreditWatcher({ store: counted.store, sponsors: catalogue.sponsors, clock, checkIntervalMs });
    watcher.start();
    const afterTopUp = Math.ceil((1.5 * (checkIntervalMs + FACTS_MAX_AGE_MS + maxDelayMs)) / TICK_MS);
    const source = pacedSource(records + afterTopUp, clock, async (record) => {
      if (record !== records) return;
      const entry = { kind: 'top-up' as const, idempotencyKey: 'all', sponsorId: 'chatter', currency: 'USD' };
      const amountMicros = records * MICROS_A_RECORD;
      await bookEntry(store, { ...entry, amountMicros, effectiveAtMs: null, who: 'alice', why: 'paid' }, clock);
    });
    await runEngine({
      store: counted.store,
      journal: new ClickHouseJournal(counted.store),
      catalogue,
      source,
      publisher: memoryPublisher(),
      clock,
      settings: {
        maxRecords: 10_000,
        maxBytes: 1 << 30,
        maxDelayMs,
        rejectionPayloadBytes: 0,
        recordRules: PLAIN_RULES,
        duplicateWindowRecords: 10_000,
        pseudonymKey: PSEUDONYM_KEY,
        acceptGaps: false,
      },
    });
    await watcher.stop();
    const reasons = await reasonsInOrder(store);
    return { reasons, overshootRecords: reasons[0][1] - limitRecords };
  } finally {
    await close();
  }
}

/** Returns the reasons of the records in the order of the log, and how many records in a row have each. */
async function reasonsInOrder(store: Store): Promise<[reason: string, records: number][]> {
  const rows = await store.query<{ reason: string; records: number }>(
    'SELECT reason, sum(records) AS records FROM outcomes GROUP BY last_offset, reason ORDER BY last_offset',
  );
  const runs: [string, number][] = [];
  for (const { reason, records } of rows) {
    const run = runs.at(-1);
    if (run?.[0] === reason) run[1] += Number(records);
    else runs.push([reason, Number(records)]);
  }
  return runs;
}

/** Returns a source with a record for every step of the clock. */
function pacedSource(records: number, clock: SteppedClock, beforeRecord: (record: number) => Promise<void>): Source {
  const log = { topic: 'paced', partition: 0, lane: 'paced-0' };
  return {
    async run(listener) {
      await listener.assign(log, async () => null);
      for (let record = 0; record < records; record++) {
        await clock.step(TICK_MS);
        await beforeRecord(record);
        const flow = chatRecord({ localSequenceNumber: record, uplinkOctets: 0, downlinkOctets: MIB });
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
class CountedStore {
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
class SteppedClock implements Clock {
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

/** Returns a catalogue with a credit limit of so many records. */
function catalogueOf(limitRecords: number) {
  const text = `
sponsors:
  - { id: chatter, name: Chatter, currency: USD, creditLimit: "${limitRecords}" }
applications:
  - { id: chat, sponsor: chatter, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
plans:
  - id: chat-monthly
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1.000000" }]
`;
  const { catalogue, faults } = parseCatalogue(text, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}
