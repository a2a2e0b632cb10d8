import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const RECORDS = 4000;
const BROKEN_EVERY = 40;
const WHY = ['--why', 'gateway 7 counted wrong', '--who', 'tester'];
/** What each subscriber was charged in each period of a plan. */
const BILL =
  'SELECT subscriber, plan_id, plan_version, period_start, sum(sponsored_octets) AS octets, sum(charge_micros) AS micros, ' +
  'count() AS records FROM charges GROUP BY ALL ORDER BY ALL';

let zerorate: Zerorate;
/** The lines of the source before some of them were broken. */
let lines: string[];

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const options = ['--records', String(RECORDS), '--seed', '19', '--subscribers', '50'];
  expect(await zerorate.run(['generate', '--out', 'whole.ndjson', ...options])).toMatchObject({ code: 0 });
  lines = readFileSync(zerorate.path('whole.ndjson'), 'utf8').trim().split('\n');
  const broken = lines.map((line, at) =>
    at % BROKEN_EVERY === 0 ? line.replace(/"uplinkOctets":/, '"uplinkOctets":-1') : line,
  );
  await writeFile(zerorate.path('flows.ndjson'), `${broken.join('\n')}\n`);
  expect(await run('flows.ndjson', 'corrected')).toMatchObject({ code: 0 });
  expect(await run('whole.ndjson', 'whole')).toMatchObject({ code: 0 });
});
afterAll(() => zerorate?.remove());

const run = (source: string, store: string) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', store]);
const recycle = (file: string, ...more: string[]) =>
  zerorate.run(['rejections', 'recycle', file, ...WHY, '--catalogue', CATALOGUE, '--store', 'corrected', ...more]);

interface Listed {
  topic: string;
  partition: number;
  offset: string;
  payload: string;
}

async function listed(...options: string[]): Promise<Listed[]> {
  const args = ['rejections', 'list', '--store', 'corrected', '--format', 'JSONEachRow', ...options];
  const { stdout } = await zerorate.run(args);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** As a person does it: the listed rejections, each with its record from the source, corrected. */
async function corrected(file: string, rejections: readonly Listed[]): Promise<void> {
  const corrected = rejections.map((rejection) => ({
    ...rejection,
    record: JSON.parse(lines[Number(rejection.offset)]),
  }));
  await writeFile(zerorate.path(file), corrected.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

test('what was rejected, corrected and recycled is billed as if it had been right', async () => {
  const rejections = await listed('--reason', 'negative_octets');
  expect(rejections).toHaveLength(RECORDS / BROKEN_EVERY);
  expect(JSON.parse(rejections[0].payload).servedMsisdn).toMatch(/^~[0-9a-f]{32}$/);
  expect(await zerorate.rows(BILL, 'corrected')).not.toEqual(await zerorate.rows(BILL, 'whole'));
  await corrected('first.ndjson', rejections.slice(0, 60));
  await corrected('second.ndjson', rejections.slice(60));

  const { code, stdout, stderr } = await recycle('second.ndjson');
  expect(stderr).not.toContain('Error');
  expect(stdout).toMatch(/^recycling 1 booked: 40 corrected records\n40 records read in 1 batch:/);
  expect(code).toBe(0);
  expect(await listed()).toEqual(rejections.slice(0, 60));
  expect((await recycle('first.ndjson')).stdout).toMatch(/^recycling 2 booked: 60 corrected records\n/);
  expect(await listed()).toEqual([]);
  expect(await listed('--all')).toHaveLength(RECORDS / BROKEN_EVERY);
  // The keys of pseudonyms are each store's own: what is compared is what is behind them.
  const bill = `SELECT * EXCEPT subscriber FROM (${BILL}) ORDER BY ALL`;
  expect(await zerorate.rows(bill, 'corrected')).toEqual(await zerorate.rows(bill, 'whole'));
});

test('the same file once more books nothing', async () => {
  const { code, stdout } = await recycle('first.ndjson');
  expect(stdout).toMatch(/^recycling 2 was booked before: 60 corrected records\n0 records read in 0 batches/);
  expect(code).toBe(0);
});

test('each corrected record says which rejection it was', async () => {
  const [links] = await zerorate.rows(
    'SELECT count() AS links, countIf(charges.sponsored_octets > 0) > 0 AS charged FROM recycled ' +
      'LEFT JOIN charges ON charges.topic = recycled_topic AND charges.partition = recycled.partition AND charges.offset = recycled.offset ' +
      'WHERE is_booked',
    'corrected',
  );
  expect(links).toEqual({ links: RECORDS / BROKEN_EVERY, charged: 1 });
});

test('the journal holds, the source is read on, and every batch that it has is computed again', async () => {
  const again = await run('flows.ndjson', 'corrected');
  expect(again.stdout).toMatch(/^0 records read/);
  const { code, stdout } = await zerorate.run(['audit', '--store', 'corrected', '--source', 'flows.ndjson']);
  expect(stdout).not.toContain('BROKEN');
  expect(code).toBe(0);
});

describe('bad input is refused with its line and exit code 2, and nothing is booked', () => {
  test.each<[string, () => Promise<void> | void, RegExp]>([
    ['no file', () => {}, /bad\.ndjson: there is no such file/],
    ['an empty file', () => writeFile(zerorate.path('bad.ndjson'), '\n'), /bad\.ndjson: holds no record/],
    [
      'a record that is not corrected',
      async () => {
        const [rejection] = await listed('--all');
        const record = { ...JSON.parse(lines[Number(rejection.offset)]), uplinkOctets: -1 };
        await writeFile(zerorate.path('bad.ndjson'), JSON.stringify({ ...rejection, record }));
      },
      /bad\.ndjson:1: record: is not corrected, it would be rejected again \(negative_octets\)/,
    ],
    [
      'a rejection that is recycled already',
      async () => corrected('bad.ndjson', (await listed('--all')).slice(0, 1)),
      /bad\.ndjson:1: \S+: was recycled already.* as recycling \d/,
    ],
  ])('%s', async (_, prepare, line) => {
    await prepare();
    const { code, stderr } = await recycle('bad.ndjson');
    expect(stderr).toMatch(line);
    expect(code).toBe(2);
    expect(await zerorate.rows('SELECT max(number) AS last FROM recyclings', 'corrected')).toEqual([{ last: 2 }]);
  });
});

describe('late records', () => {
  const LATE = (latePolicy: string) => `
sponsors: [{ id: chatter, name: Chatter, currency: USD, creditLimit: "1000" }]
applications: [{ id: chat, sponsor: chatter, tags: [CHAT] }]
plans:
  - { id: chat-plan, application: chat, version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: null, period: month, timeZone: UTC,
      content: { text: 10000 }, quotaOctets: null, tiers: [{ upToOctets: null, pricePerMiB: "2" }], latePolicy: ${latePolicy} }
`;
  const record = (localSequenceNumber: number, uplinkOctets: number, minute = localSequenceNumber) =>
    testRecord({
      localSequenceNumber,
      uplinkOctets,
      downlinkOctets: 0,
      startTime: Date.UTC(2026, 9, 20, 12, minute),
      endTime: Date.UTC(2026, 9, 20, 12, minute, 30),
      zeroRatingTag: 'CHAT',
      contentType: 'text',
      remoteIp: '8.8.8.8',
    });
  const cli = (...args: string[]) => zerorate.run([...args, '--store', 'late']);
  const correct = (catalogue: string, ...more: string[]) =>
    cli('rejections', 'recycle', 'corrected.ndjson', '--catalogue', catalogue, ...more);
  const one = async <T>(sql: string) => (await zerorate.rows<T>(sql, 'late'))[0];
  const lineOf = (offset: number, corrected: FlowRecord) =>
    JSON.stringify({ topic, partition: 0, offset, record: corrected });

  let topic: string;

  beforeAll(async () => {
    await writeFile(zerorate.path('refuse.yaml'), LATE('refuse'));
    await writeFile(zerorate.path('adjust.yaml'), LATE('adjust'));
    const records = [record(1, 1_048_576), record(2, -5), record(3, -5), record(4, -5)];
    await writeFile(zerorate.path('late.ndjson'), records.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const started = await cli('run', '--catalogue', 'refuse.yaml', '--source', 'late.ndjson');
    expect(started.code, started.stderr).toBe(0);
    ({ topic } = await one<{ topic: string }>('SELECT DISTINCT topic FROM rejections'));
  });

  test('the dry run says what each record would become, and of what one is a duplicate; nothing is booked', async () => {
    const lines = [lineOf(1, record(2, 1_048_576)), lineOf(2, record(1, 1_048_576)), lineOf(3, record(1, 7))];
    await writeFile(zerorate.path('corrected.ndjson'), `${lines.join('\n')}\n`);
    const { code, stdout, stderr } = await correct('refuse.yaml', '--dry-run');
    expect(stderr).not.toContain('Error');
    expect(stdout).toMatch(
      /1 {2}late\.ndjson\S*-0@1 +charged +sponsored +chat +chat-plan 1 +1 048 576 +2\.000000 +USD/,
    );
    expect(stdout).toMatch(
      /2 {2}late\.ndjson\S*-0@2 +duplicate +duplicate .*booked already at late\.ndjson\S*-0 offset 0, sponsored/,
    );
    expect(stdout).toMatch(/3 {2}late\.ndjson\S*-0@3 +rejected +conflicting_duplicate .*with other content/);
    expect(stdout).toContain('nothing would be: 1 record would be rejected again');
    expect(code).toBe(1);
    expect(await one('SELECT count() AS rows FROM recyclings')).toEqual({ rows: 0 });
  });

  test('under a plan that refuses what is late nothing is claimed, and the same file is booked once the plan has changed', async () => {
    const closed = await cli('close', '--sponsor', 'chatter', '--month', '2026-10', '--who', 'Ada');
    expect(closed.code, closed.stderr).toBe(0);
    const lines = [lineOf(1, record(2, 1_048_576)), lineOf(2, record(1, 1_048_576))];
    await writeFile(zerorate.path('corrected.ndjson'), `${lines.join('\n')}\n`);
    for (let time = 0; time < 2; time++) {
      const { code, stderr, stdout } = await correct('refuse.yaml', ...WHY);
      expect(stderr).toMatch(
        /corrected\.ndjson:1: late\.ndjson\S*-0@1: would be rejected again \(period_closed\): the period began on 2026-10-01.*nothing was claimed/,
      );
      expect(stdout).toBe('');
      expect(code).toBe(2);
      expect(await one('SELECT count() AS rows FROM recyclings')).toEqual({ rows: 0 });
    }
    const { code, stdout } = await correct('adjust.yaml', ...WHY);
    expect(stdout).toMatch(
      /^recycling 1 booked: 2 corrected records\n2 records read in 1 batch: 1 charged, .* 1 duplicate,/,
    );
    expect(stdout).toMatch(
      /line 2, late\.ndjson\S*-0@2: a duplicate, not charged again: booked already at late\.ndjson\S*-0 offset 0/,
    );
    expect(code).toBe(0);
  });

  test('a recycling is taken back with its rows; the statement can be verified and the audit holds', async () => {
    const charged = "SELECT toString(charged_micros) AS micros FROM account_balances WHERE sponsor_id = 'chatter'";
    expect(await one(charged)).toEqual({ micros: '4000000' });
    expect((await cli('rejections', 'reverse', '1', '--dry-run')).stdout).toMatch(/^chatter: 1 charge of 2 USD/);
    const REVERSAL = ['--name', 'recycling-1', '--who', 'Ada', '--why', 'it was right'];
    const { code, stdout, stderr } = await cli('rejections', 'reverse', '1', ...REVERSAL);
    expect(stdout, stderr).toContain('recycling 1 is reversed as correction 1, recycling-1');
    expect(code).toBe(0);
    expect(await one(charged)).toEqual({ micros: '2000000' });
    const STATEMENT = ['statement', '--sponsor', 'chatter', '--month', '2026-11'];
    expect(await cli(...STATEMENT, '--out', 'late.json', '--rows', 'late.csv')).toMatchObject({ code: 0 });
    const verified = await zerorate.run(['verify', 'late.json', 'late.csv']);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const audit = await cli('audit', '--source', 'late.ndjson');
    expect(audit.stdout).not.toContain('BROKEN');
    expect(audit.code).toBe(0);
    const listed = await cli('rejections', 'list', '--format', 'JSONEachRow');
    expect(listed.stdout.trim().split('\n')).toHaveLength(3);
  });

  test('a record whose charge was reversed is not lost as a duplicate of it: it stays in suspense', async () => {
    await writeFile(zerorate.path('corrected.ndjson'), `${lineOf(1, record(2, 1_048_576))}\n`);
    const { code, stderr } = await correct('adjust.yaml', ...WHY);
    expect(stderr).toMatch(
      /corrected\.ndjson:1: .*would be a duplicate of a record whose charge was reversed.*offset 1, sponsored, reversed by correction 1/,
    );
    expect(code).toBe(2);
    expect((await correct('adjust.yaml', '--dry-run')).code).toBe(1);
    expect(await one('SELECT toInt32(count()) AS rows FROM suspense WHERE offset = 1')).toEqual({ rows: 1 });
    const other = { ...record(2, 1_048_576), nodeId: 'corrected' };
    await writeFile(zerorate.path('corrected.ndjson'), `${lineOf(1, other)}\n`);
    expect((await correct('adjust.yaml', ...WHY)).stdout).toContain('1 charged');
  });
});
