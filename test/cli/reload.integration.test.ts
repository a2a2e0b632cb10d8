import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectAlerts } from '../../src/engine/metrics/promtool.fixture.ts';
import { metricOf, scrape } from '../../src/engine/metrics/scrape.fixture.ts';
import { halfAnHour, OperatedEngines } from './operated-engine.fixture.ts';

let engines: OperatedEngines;

beforeAll(async () => {
  engines = await OperatedEngines.start();
});
afterEach(() => engines.endAll());
afterAll(() => engines?.stop());

const dearer = (text: string) => text.replace('"0.0020"', '"0.0030"');

test('another catalogue is taken over at SIGHUP by every lane, a bad one is refused, and replay and audit hold over it', async () => {
  const config = await engines.configure('reload');
  await engines.produce('reload', 3, 1000);
  const engine = await engines.run(config);
  await engine.booked(1000);
  const before = await scrape(engines.port);
  expect(metricOf(before, 'zerorate_catalogue_refused')).toBe(0);

  const reload = async (change: (text: string) => string, fits: RegExp) => {
    await engines.editCatalogue('reload', change);
    const from = engine.lines.length;
    engine.signal('SIGHUP');
    return engine.line(({ msg }) => fits.test(msg), from);
  };
  const refused = await reload(
    (text) => text.replace('pricePerMiB: "0.0031"', 'pricePerMiB: 0.0031'),
    /not taken over/,
  );
  expect(refused.msg).toMatch(
    /reload-catalogue\.yaml:\d+: plans\[1\]\.tiers\[0\]\.pricePerMiB: expected text, got 0\.0031/,
  );
  await expectAlerts(
    halfAnHour(before, await engines.scraped((seen) => metricOf(seen, 'zerorate_catalogue_refused') === 1)),
    ['ZerorateCatalogueRefused'],
  );
  const moved = await reload((text) => text.replace('America/Sao_Paulo', 'America/Lima'), /not taken over/);
  expect(moved.msg).toMatch(
    /plans\[1\]\.timeZone: America\/Lima differs from America\/Sao_Paulo.*give this one a new plan id/,
  );
  expect((await reload((text) => text, /has not changed/)).catalogue).toBe(refused.catalogue);

  const taken = await reload(dearer, /rated with another catalogue/);
  expect(taken.before).toBe(refused.catalogue);
  const after = await engines.scraped((seen) => metricOf(seen, 'zerorate_catalogue_refused') === 0);
  expect(metricOf(after, 'zerorate_catalogue_info', { hash: String(taken.catalogue) })).toBe(1);
  expect(metricOf(after, 'zerorate_catalogue_reloads_total', { outcome: 'refused' })).toBe(2);
  await engines.produce('reload', 4, 1000);
  await engine.booked(2000);
  expect(await engine.stop()).toBe(0);

  const hashes = await engines.zerorate.rows<Record<string, unknown>>(
    'SELECT partition, groupUniqArray(catalogue_hash) AS hashes, sum(records_read) AS read FROM batches GROUP BY partition ORDER BY partition',
    'reload',
  );
  expect(hashes).toHaveLength(2);
  for (const lane of hashes) {
    expect(new Set(lane.hashes as string[])).toEqual(new Set([refused.catalogue, taken.catalogue]));
  }
  const charged = await engines.zerorate.rows<Record<string, unknown>>(
    'SELECT count() AS catalogues FROM (SELECT catalogue_hash FROM batches GROUP BY catalogue_hash HAVING sum(records_charged) > 100)',
    'reload',
  );
  expect(charged).toEqual([{ catalogues: 2 }]);
  const audit = await engines.zerorate.run(['audit', ...config, '--against-source']);
  expect(audit.stdout).not.toMatch(/BROKEN|unread/);
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
  const replay = await engines.zerorate.run(['replay', '--verify', ...config]);
  expect(replay.code, replay.stdout + replay.stderr).toBe(0);
});

test('a tag that gets an end is taken over: it ends for the next records by their own time, and replay and audit hold', async () => {
  const config = await engines.configure('dates');
  await engines.produce('dates', 8, 1000);
  const engine = await engines.run(config);
  await engine.booked(1000);
  await engines.editCatalogue('dates', (text) =>
    text.replace('tags: [PIGEON]', 'tags: [{ tag: PIGEON, to: 2026-10-15T00:00:00Z }]'),
  );
  engine.signal('SIGHUP');
  await engine.line(({ msg }) => /rated with another catalogue/.test(msg));
  await engines.produce('dates', 9, 1000);
  await engine.booked(2000);
  expect(await engine.stop()).toBe(0);

  // Nodes are named after the seed.
  const charged = await engines.zerorate.rows<{ is_later: number; is_over: number }>(
    "SELECT DISTINCT startsWith(node_id, 'gw-9-') AS is_later, start_time >= toDateTime64('2026-10-15 00:00:00', 3, 'UTC') AS is_over " +
      "FROM charges WHERE application_id = 'pigeon' ORDER BY is_later, is_over",
    'dates',
  );
  expect(charged.map(({ is_later, is_over }) => [is_later, is_over])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
  ]);
  for (const work of [
    ['audit', ...config, '--against-source'],
    ['replay', '--verify', ...config],
  ]) {
    const { code, stdout, stderr } = await engines.zerorate.run(work);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).not.toMatch(/BROKEN|unread/);
  }
});

test('another catalogue changes the limits of sponsors', async () => {
  const config = await engines.configure('limits');
  await engines.produce('limits', 5, 1000);
  const engine = await engines.run(config);
  await engine.booked(1000);
  // A look at the balances may have come between two batches: the one that has seen all of them is waited for.
  const before = await engines.scraped((seen) => {
    const charged = metricOf(seen, 'zerorate_charged_micros_total', { sponsor: 'chatter' }) ?? 0;
    return charged > 0 && metricOf(seen, 'zerorate_sponsor_balance_micros', { sponsor: 'chatter' }) === -charged;
  });
  const owed = -(metricOf(before, 'zerorate_sponsor_balance_micros', { sponsor: 'chatter' }) ?? 0);
  const limitTo = async (micros: number) => {
    await engines.editCatalogue('limits', (text) =>
      text.replace('creditLimit: "5000.00"', `creditLimit: "${(micros / 1e6).toFixed(2)}"`),
    );
    engine.signal('SIGHUP');
  };
  const inCents = (micros: number) => Math.round(micros / 1e4) * 1e4;
  const nearLimit = inCents(owed / 0.9);
  await limitTo(nearLimit);
  const near = await engines.scraped(
    (seen) => metricOf(seen, 'zerorate_sponsor_credit_limit_micros', { sponsor: 'chatter' }) === nearLimit,
  );
  await expectAlerts(halfAnHour(before, near), ['ZerorateSponsorNearLimit']);
  await limitTo(inCents(owed / 2));
  const past = await engines.scraped(
    (seen) => metricOf(seen, 'zerorate_sponsor_suspended', { sponsor: 'chatter' }) === 1,
  );
  await expectAlerts(halfAnHour(before, past), ['ZerorateSponsorSuspended']);
  await engine.stop();
});

test('another catalogue is found by itself where the configuration asks for that', async () => {
  const config = await engines.configure('polled');
  await engines.produce('polled', 6, 200);
  const engine = await engines.run(config, { ZERORATE_RELOAD_INTERVAL_MS: '100' });
  await engine.booked(200);
  await engines.editCatalogue('polled', dearer);
  const taken = await engine.line(({ msg }) => /rated with another catalogue/.test(msg));
  await engines.produce('polled', 7, 200);
  await engine.booked(400);
  await engine.stop();
  const rated = await engines.zerorate.rows<{ hash: string }>(
    'SELECT catalogue_hash AS hash FROM batches GROUP BY hash ORDER BY min(lane_sequence)',
    'polled',
  );
  expect(rated.map(({ hash }) => hash)).toEqual([taken.before, taken.catalogue]);
});
