import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { Booker, bookCorrection, catalogueOf } from '../finance/statements/finance.fixture.ts';
import { openEmbeddedStore } from '../platform/clickhouse/embedded-store.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import { packagePath } from '../platform/package-paths.ts';
import { migrate } from './migrate.ts';

const MIGRATIONS = packagePath('schemas/clickhouse');
/** The last migration of stores without the view. */
const BEFORE = 15;

function zonedCatalogue(timeZone: string, planId = 'chat-monthly', version = 1) {
  return catalogueOf(`
sponsors: [{ id: chatter, name: Chatter, currency: USD, creditLimit: "1000" }]
applications: [{ id: chat, sponsor: chatter, tags: [CHAT] }]
plans:
  - id: ${planId}
    application: chat
    version: ${version}
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: ${timeZone}
    content: { text: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "2" }]
`);
}

const MIB = 2 ** 20;
const USES = [
  { at: '2026-10-01T06:59:59Z', octets: MIB },
  { at: '2026-10-01T07:00:00Z', octets: 2 * MIB },
  { at: '2026-10-15T12:00:00Z', octets: 3 * MIB },
  { at: '2026-11-01T06:59:59Z', octets: 4 * MIB },
];
const BY_DAY =
  'SELECT day_of_use AS day, time_zone AS zone, toString(sum(records)) AS records, toString(sum(charge_micros)) AS micros ' +
  'FROM usage_by_day GROUP BY ALL ORDER BY ALL';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});

const day = (day: string, zone: string, records: number, micros: number) => ({
  day,
  zone,
  records: String(records),
  micros: String(micros),
});

describe('days of use', () => {
  test('of a store without records and catalogues are none', async () => {
    expect(await opened.store.query(BY_DAY)).toEqual([]);
  });

  test('are those of the plan’s time zone, whenever the records were booked', async () => {
    const booker = new Booker(opened.store, 'west');
    const catalogue = zonedCatalogue('America/Los_Angeles');
    await booker.book(USES.slice(1), '2026-11-05T00:00:00Z', { catalogue });
    // A late record: of September there.
    await booker.book(USES.slice(0, 1), '2026-12-24T00:00:00Z', { catalogue });
    const zone = 'America/Los_Angeles';
    expect(await opened.store.query(BY_DAY)).toEqual([
      day('2026-09-30', zone, 1, 2_000_000),
      day('2026-10-01', zone, 1, 4_000_000),
      day('2026-10-15', zone, 1, 6_000_000),
      day('2026-10-31', zone, 1, 8_000_000),
    ]);
    expect(
      await opened.store.query('SELECT DISTINCT day_of_use, booking_date FROM usage_by_day ORDER BY ALL LIMIT 2'),
    ).toEqual([
      { day_of_use: '2026-09-30', booking_date: '2026-12-24' },
      { day_of_use: '2026-10-01', booking_date: '2026-11-05' },
    ]);
  });

  test('have corrections on the day of the charge that is corrected', async () => {
    await bookCorrection(opened.store, { number: 1, month: '2026-10', factor: 50, bookedOn: '2026-12-25' });
    const zone = 'America/Los_Angeles';
    expect(await opened.store.query(BY_DAY)).toEqual([
      day('2026-09-30', zone, 1, 2_000_000),
      day('2026-10-01', zone, 1, 2_000_000),
      day('2026-10-15', zone, 1, 3_000_000),
      day('2026-10-31', zone, 1, 4_000_000),
    ]);
  });

  test('of a zone that is a quarter of an hour beside the hours, and of a plan’s every version', async () => {
    await new Booker(opened.store, 'east').book(
      [
        { at: '2026-10-01T18:14:59.999Z', octets: MIB, msisdn: '999000000002' },
        { at: '2026-10-01T18:15:00Z', octets: MIB, msisdn: '999000000002' },
      ],
      '2026-11-06T00:00:00Z',
      { catalogue: zonedCatalogue('Asia/Kathmandu', 'chat-nepal', 7) },
    );
    const days = await opened.store.query(`SELECT * FROM (${BY_DAY}) WHERE zone = 'Asia/Kathmandu'`);
    expect(days).toEqual([
      day('2026-10-01', 'Asia/Kathmandu', 1, 2_000_000),
      day('2026-10-02', 'Asia/Kathmandu', 1, 2_000_000),
    ]);
  });

  test('do not move when a later catalogue says another zone of the same version', async () => {
    const before = await opened.store.query(BY_DAY);
    const moved = zonedCatalogue('Asia/Kathmandu', 'chat-monthly', 1);
    await opened.store.command(
      `INSERT INTO catalogues (hash, document, first_used_at) SELECT '${moved.hash}', '${moved.canonicalJson}', now64(3) + 60`,
    );
    expect(await opened.store.query(BY_DAY)).toEqual(before);
  });

  test('add up to what the journal has of it, and are read from its sums', async () => {
    const sums =
      'toString(sum(records)) AS records, toString(sum(sponsored_octets)) AS sponsored, toString(sum(charge_micros)) AS micros';
    const bySponsor = (view: string) =>
      `SELECT sponsor_id, month, currency, ${sums} FROM ${view} GROUP BY ALL ORDER BY ALL`;
    expect(await opened.store.query(bySponsor('usage_by_day'))).toEqual(
      await opened.store.query(bySponsor('booking_totals')),
    );
    await expectReadsSums(opened.store);
    expect(await opened.store.query(`${BY_DAY} SETTINGS optimize_use_projections = 0`)).toEqual(
      await opened.store.query(BY_DAY),
    );
  });
});

async function expectReadsSums(store: Store): Promise<void> {
  const plan = JSON.stringify(await store.query(`EXPLAIN projections = 1 ${BY_DAY}`));
  expect(plan).toContain('ReadFromMergeTree (usage_by_quarter_hour)');
  expect(plan).not.toMatch(/ReadFromMergeTree \(\w+\.journal\)/);
}

test('a store that was booked before it had the view shows its days', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-old-'));
  const old = join(directory, 'migrations');
  await opened.close();
  const store = await openEmbeddedStore(join(directory, 'store'), { create: true });
  try {
    await copyMigrations(old);
    await migrate(store, old);
    const { canonicalJson, hash } = zonedCatalogue('Asia/Tokyo');
    await store.command(`INSERT INTO catalogues (hash, document) SELECT '${hash}', '${canonicalJson}'`);
    await store.command(
      'INSERT INTO journal (kind, sponsor_id, plan_id, plan_version, period_start, booking_date, currency, start_time, charge_micros) ' +
        "SELECT 'charge', 'chatter', if(number = 2, 'of no catalogue', 'chat-monthly'), 1, '2026-10-01', '2026-11-05', 'JPY', " +
        "toDateTime64('2026-10-09 14:59:59', 3, 'UTC') + number, 1000 FROM numbers(3)",
    );
    await migrate(store, MIGRATIONS);
    const days = [
      day('2026-10-09', 'Asia/Tokyo', 1, 1000),
      day('2026-10-09', 'UTC', 1, 1000),
      day('2026-10-10', 'Asia/Tokyo', 1, 1000),
    ];
    expect(await store.query(BY_DAY)).toEqual(days);
    await expect.poll(() => partsWithout(store), { timeout: 20_000 }).toBe(0);
    await expectReadsSums(store);
    expect(await store.query(BY_DAY)).toEqual(days);
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}, 60_000);

async function copyMigrations(to: string): Promise<void> {
  await mkdir(to);
  const names = (await readdir(MIGRATIONS)).filter((name) => Number.parseInt(name, 10) <= BEFORE);
  for (const name of names) await copyFile(join(MIGRATIONS, name), join(to, name));
}

async function partsWithout(store: Store): Promise<number> {
  const [{ parts }] = await store.query<{ parts: number }>(
    "SELECT countIf(NOT has(projections, 'usage_by_quarter_hour')) AS parts FROM system.parts " +
      "WHERE active AND database = currentDatabase() AND table = 'journal'",
  );
  return Number(parts);
}
