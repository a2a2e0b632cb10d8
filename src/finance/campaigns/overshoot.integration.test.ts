import { expect, test } from 'vitest';
import { memoryPublisher, OPEN_STORE, runEngine, TEST_SETTINGS } from '../../engine/engine.fixture.ts';
import { FACTS_MAX_AGE_MS } from '../../engine/engine.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { CountedStore, pacedSource, RECORD_OCTETS, SteppedClock, TICK_MS } from '../accounts/paced-run.fixture.ts';
import { campaignCatalogue } from './campaign.fixture.ts';
import { campaignsIn } from './campaign-rules.ts';
import { CampaignWatcher } from './campaign-watcher.ts';

const ENGINES = 2;

interface Settings {
  checkIntervalMs: number;
  maxDelayMs: number;
  /** The cap is reached at another moment between two checks. */
  capRecords: number;
  cap: string;
}

/** Returns the bound that docs/concepts/campaigns.md states, where the store takes no time. */
function boundMs({ checkIntervalMs, maxDelayMs }: Settings): number {
  return checkIntervalMs + FACTS_MAX_AGE_MS + 2 * maxDelayMs;
}

test.each<Settings>([
  { checkIntervalMs: 1000, maxDelayMs: 500, capRecords: 40, cap: `{ per: whole, octets: ${40 * RECORD_OCTETS} }` },
  { checkIntervalMs: 1000, maxDelayMs: 500, capRecords: 59, cap: '{ per: day, money: "59" }' },
  { checkIntervalMs: 250, maxDelayMs: 250, capRecords: 37, cap: `{ per: period, octets: ${37 * RECORD_OCTETS} }` },
])('what two engines charge past one cap stays within the bound of the settings: %o', async (settings) => {
  const records = Math.ceil(settings.capRecords / ENGINES + (1.5 * boundMs(settings)) / TICK_MS);
  const { charged, refused, facts } = await runPast(settings, settings.checkIntervalMs, records);
  const overshootRecords = charged - settings.capRecords;
  expect(overshootRecords).toBeGreaterThan(0);
  expect((overshootRecords / ENGINES) * TICK_MS).toBeLessThanOrEqual(boundMs(settings));
  expect(refused).toBe(ENGINES * records - charged);
  expect(refused).toBeGreaterThan(0);
  expect(facts).toEqual(['cap_reached']);
});

test('a watcher that checks too seldom exceeds the bound', async () => {
  const settings = {
    checkIntervalMs: 250,
    maxDelayMs: 250,
    capRecords: 38,
    cap: `{ per: whole, octets: ${38 * RECORD_OCTETS} }`,
  };
  const { charged } = await runPast(settings, 5000, 130);
  expect(((charged - settings.capRecords) / ENGINES) * TICK_MS).toBeGreaterThan(boundMs(settings));
});

/** Runs two engines, each with a lane of its own, and a watcher in steps of a clock: one record a step and engine. */
async function runPast({ maxDelayMs, cap }: Settings, checkIntervalMs: number, records: number) {
  const { store, close } = await OPEN_STORE.embedded();
  try {
    const counted = new CountedStore(store);
    const clock = new SteppedClock(counted);
    const catalogue = campaignCatalogue(`{ payment: postpaid, audience: everyone, caps: [${cap}] }`);
    const campaigns = campaignsIn(catalogue);
    const watcher = new CampaignWatcher({ store: counted.store, campaigns, clock, checkIntervalMs });
    watcher.start();
    // The first engine's source makes the steps, once the second one's waits for them.
    const steps = { made: 0, awaited: 0 };
    const nowMs = () => clock.nowMs();
    const following = {
      nowMs,
      step(ms: number) {
        steps.awaited++;
        return clock.sleep(ms);
      },
    };
    const leading = {
      nowMs,
      async step(ms: number) {
        while (steps.awaited <= steps.made) await new Promise(setImmediate);
        steps.made++;
        await clock.step(ms);
      },
    };
    const run = (lane: string, paced: Pick<SteppedClock, 'nowMs' | 'step'>) =>
      runEngine({
        store: counted.store,
        journal: new ClickHouseJournal(counted.store),
        catalogue,
        source: pacedSource(records, paced, undefined, { topic: lane, partition: 0, lane: `${lane}-0` }),
        publisher: memoryPublisher(),
        clock,
        settings: {
          ...TEST_SETTINGS,
          maxRecords: 10_000,
          maxBytes: 1 << 30,
          maxDelayMs,
          duplicateWindowRecords: 10_000,
        },
      });
    await Promise.all([run('leader', leading), run('follower', following)]);
    await watcher.stop();
    return await counts(store);
  } finally {
    await close();
  }
}

async function counts(store: Store) {
  const rows = await store.query<{ reason: string; records: number }>(
    'SELECT reason, sum(records) AS records FROM outcomes GROUP BY reason',
  );
  const of = (reason: string) => Number(rows.find((row) => row.reason === reason)?.records ?? 0);
  const facts = await store.query<{ kind: string }>('SELECT kind FROM campaign_facts ORDER BY number');
  return { charged: of('sponsored'), refused: of('cap_reached'), facts: facts.map(({ kind }) => kind) };
}
