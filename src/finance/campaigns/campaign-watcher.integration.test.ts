import { afterEach, beforeEach, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { chatRecord } from '../../engine/traffic.fixture.ts';
import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { bookEntry } from '../statements/finance.fixture.ts';
import { campaignCatalogue } from './campaign.fixture.ts';
import { campaignsIn } from './campaign-rules.ts';
import { CampaignWatcher } from './campaign-watcher.ts';

const MIB = 2 ** 20;
let opened: OpenedStore;
let sequence = 0;

beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
});
afterEach(() => opened?.close());

function watcherOf(catalogue: Catalogue, store: Store = opened.store): CampaignWatcher {
  return new CampaignWatcher({ store, campaigns: campaignsIn(catalogue), clock: systemClock, checkIntervalMs: 1 });
}

/** Charges one record of so many octets, which starts at an instant, in a log of its own. */
async function use(catalogue: Catalogue, octets: number, at: string, topic = `log-${sequence}`): Promise<void> {
  const startTime = Date.parse(at);
  const record = chatRecord({
    localSequenceNumber: ++sequence,
    startTime,
    endTime: startTime,
    uplinkOctets: 0,
    downlinkOctets: octets,
  });
  const source = memorySource({ topic, partition: 0, lane: `${topic}-0` }, rawRecords([record], startTime, sequence));
  await runEngine({ store: opened.store, source, catalogue });
}

const reasons = async () =>
  (await opened.store.query<{ reason: string }>('SELECT reason FROM outcomes ORDER BY last_offset')).map(
    ({ reason }) => reason,
  );
const why = (facts: readonly { kind: string; why: string }[]) => facts.map((fact) => `${fact.kind}: ${fact.why}`);

test('books a threshold and a cap of a day in the plan’s time zone, once, and the next day is open without a fact', async () => {
  const caps = `[{ per: day, octets: ${2 * MIB}, notifyAt: [5000, 7500] }]`;
  const catalogue = campaignCatalogue(`{ payment: postpaid, audience: everyone, caps: ${caps} }`, {
    timeZone: 'Asia/Kathmandu',
  });
  const watcher = watcherOf(catalogue);
  expect(await watcher.check()).toEqual([]);
  // Both are of 11 November in Kathmandu, five and three quarter hours east.
  await use(catalogue, MIB, '2026-11-10T18:15:00Z');
  expect(why(await watcher.check())).toEqual([
    `threshold_reached: ${MIB} octets used of ${2 * MIB} octets on 2026-11-11`,
  ]);
  await use(catalogue, MIB + 1, '2026-11-11T18:14:59Z');
  const used = `${2 * MIB + 1} octets used of ${2 * MIB} octets on 2026-11-11`;
  expect(why(await watcher.check())).toEqual([`cap_reached: ${used}`, `threshold_reached: ${used}`]);
  expect(await watcher.check()).toEqual([]);
  expect(await watcherOf(catalogue).check()).toEqual([]);
  await use(catalogue, 1, '2026-11-11T12:00:00Z');
  await use(catalogue, 1, '2026-11-11T18:15:00Z');
  expect(await reasons()).toEqual(['sponsored', 'sponsored', 'cap_reached', 'sponsored']);
  const rows = await opened.store.query(
    'SELECT number, kind, cap_per AS per, cap_unit AS unit, toUInt64(cap_limit) AS most, window_start AS day, basis_points AS share, toUInt64(used) AS sum ' +
      'FROM campaign_facts ORDER BY number',
  );
  const cap = { per: 'day', unit: 'octets', most: 2 * MIB, day: '2026-11-11' };
  expect(
    rows.map((row) => ({ ...row, number: Number(row.number), most: Number(row.most), sum: Number(row.sum) })),
  ).toEqual([
    { number: 1, kind: 'threshold_reached', ...cap, share: 5000, sum: MIB },
    { number: 2, kind: 'cap_reached', ...cap, share: 0, sum: 2 * MIB + 1 },
    { number: 3, kind: 'threshold_reached', ...cap, share: 7500, sum: 2 * MIB + 1 },
  ]);
});

test('a cap in money that is raised opens the campaign again, and is reached again', async () => {
  const capped = (money: string) =>
    campaignCatalogue(`{ payment: postpaid, audience: everyone, caps: [{ per: whole, money: "${money}" }] }`);
  const [low, high] = [capped('1'), capped('1.5')];
  await use(low, MIB, '2026-10-10T12:00:00Z');
  expect(why(await watcherOf(low).check())).toEqual(['cap_reached: 1.00 USD used of 1.00 USD in the whole campaign']);
  await use(low, MIB, '2026-11-10T12:00:00Z');
  await use(high, MIB, '2026-11-10T12:00:00Z');
  expect(await reasons()).toEqual(['sponsored', 'cap_reached', 'sponsored']);
  const watcher = watcherOf(low);
  expect(await watcher.check()).toEqual([]);
  watcher.watch(campaignsIn(high));
  expect(why(await watcher.check())).toEqual(['cap_reached: 2.00 USD used of 1.50 USD in the whole campaign']);
});

test('a prepaid campaign pays while the sponsor’s balance is above 0', async () => {
  const catalogue = campaignCatalogue('{ payment: prepaid, audience: everyone }');
  const watcher = watcherOf(catalogue);
  expect(await watcher.check()).toEqual([]);
  await use(catalogue, MIB, '2026-11-10T12:00:00Z');
  await bookEntry(opened.store, { number: 1, amountMicros: 1_000_000, effectiveAt: '2026-11-01T00:00:00Z' });
  expect(why(await watcher.check())).toEqual(["funded: the sponsor's balance of 1.00 USD is above 0"]);
  await use(catalogue, MIB, '2026-11-10T12:00:00Z');
  expect(why(await watcher.check())).toEqual(["unfunded: the sponsor's balance of 0.00 USD is not above 0"]);
  await use(catalogue, MIB, '2026-11-10T12:00:00Z');
  expect(await reasons()).toEqual(['campaign_unfunded', 'sponsored', 'campaign_unfunded']);
});

test('sums corrections, and reads only what was booked since the last check', async () => {
  const catalogue = campaignCatalogue(
    `{ payment: postpaid, audience: everyone, caps: [{ per: period, octets: 300 }] }`,
  );
  const asked: string[] = [];
  const watcher = watcherOf(catalogue, {
    ...opened.store,
    query: (sql) => {
      asked.push(sql);
      return opened.store.query(sql);
    },
  });
  await use(catalogue, 250, '2026-11-10T12:00:00Z');
  expect(await watcher.check()).toEqual([]);
  await opened.store.command(
    "INSERT INTO corrections (kind, number, plan_id, period_start, start_time, sponsored_octets) VALUES ('head', 1, '', '1970-01-01', 0, 0), " +
      "('charge', 1, 'launch', '2026-11-01', '2026-11-10 12:00:00', 40)",
  );
  expect(await watcher.check()).toEqual([]);
  asked.length = 0;
  await use(catalogue, 10, '2026-11-10T12:00:00Z');
  expect(why(await watcher.check())).toEqual([
    'cap_reached: 300 octets used of 300 octets in the period from 2026-11-01',
  ]);
  const ofCharges = asked.filter((sql) => sql.includes("kind = 'charge'"));
  expect(ofCharges.length).toBeGreaterThan(0);
  expect(ofCharges.every((sql) => sql.includes('offset > '))).toBe(true);
});

test('two watchers book each fact once, whichever comes first', async () => {
  const caps = '[{ per: whole, octets: 100, notifyAt: [1000, 2000, 3000] }, { per: day, octets: 50 }]';
  const catalogue = campaignCatalogue(`{ payment: postpaid, audience: everyone, caps: ${caps} }`);
  await use(catalogue, 100, '2026-11-10T12:00:00Z');
  const watchers = [watcherOf(catalogue), watcherOf(catalogue)];
  const booked = await Promise.all(watchers.map((watcher) => watcher.check()));
  expect(booked.flat()).toHaveLength(5);
  const { states, number } = await new CampaignFactReader(opened.store).now();
  expect(number).toBe(5);
  expect(states.get('launch')).toMatchObject({
    reached: [{ per: 'whole' }, { per: 'day' }],
    thresholds: [{ basisPoints: 1000 }, { basisPoints: 2000 }, { basisPoints: 3000 }],
  });
});

test('without campaigns it asks the store nothing', async () => {
  const store: Store = { ...opened.store, query: () => Promise.reject(new Error('asked')) };
  const watcher = new CampaignWatcher({ store, campaigns: [], clock: systemClock, checkIntervalMs: 1 });
  expect(await watcher.check()).toEqual([]);
});
