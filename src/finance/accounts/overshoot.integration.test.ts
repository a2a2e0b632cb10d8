import { expect, test } from 'vitest';
import { memoryPublisher, OPEN_STORE, PSEUDONYM_KEY, runEngine } from '../../engine/engine.fixture.ts';
import { FACTS_MAX_AGE_MS } from '../../engine/engine.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { bookEntry } from './book-entry.ts';
import { CreditWatcher } from './credit-watcher.ts';
import { CountedStore, pacedSource, SteppedClock, TICK_MS } from './paced-run.fixture.ts';

/** One record of a MiB a tick. */
const MICROS_A_RECORD = 1_000_000;

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
