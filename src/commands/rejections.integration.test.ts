import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
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
  expect(await run('flows.ndjson', 'mended')).toMatchObject({ code: 0 });
  expect(await run('whole.ndjson', 'whole')).toMatchObject({ code: 0 });
});
afterAll(() => zerorate?.remove());

const run = (source: string, store: string) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', store]);
const recycle = (file: string, ...more: string[]) =>
  zerorate.run(['rejections', 'recycle', file, ...WHY, '--catalogue', CATALOGUE, '--store', 'mended', ...more]);

interface Listed {
  topic: string;
  partition: number;
  offset: string;
  payload: string;
}

async function listed(...options: string[]): Promise<Listed[]> {
  const args = ['rejections', 'list', '--store', 'mended', '--format', 'JSONEachRow', ...options];
  const { stdout } = await zerorate.run(args);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** As a person does it: the listed rejections, each with its record from the source, mended. */
async function mend(file: string, rejections: readonly Listed[]): Promise<void> {
  const mended = rejections.map((rejection) => ({
    ...rejection,
    record: JSON.parse(lines[Number(rejection.offset)]),
  }));
  await writeFile(zerorate.path(file), mended.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

test('what was rejected, mended and recycled is billed as if it had never been broken', async () => {
  const rejections = await listed('--reason', 'negative_octets');
  expect(rejections).toHaveLength(RECORDS / BROKEN_EVERY);
  expect(JSON.parse(rejections[0].payload).servedMsisdn).toMatch(/^~[0-9a-f]{32}$/);
  expect(await zerorate.rows(BILL, 'mended')).not.toEqual(await zerorate.rows(BILL, 'whole'));
  await mend('first.ndjson', rejections.slice(0, 60));
  await mend('second.ndjson', rejections.slice(60));

  const { code, stdout, stderr } = await recycle('second.ndjson');
  expect(stderr).not.toContain('Error');
  expect(stdout).toMatch(/^recycling 1 booked: 40 mended records\n40 records read in 1 batches/);
  expect(code).toBe(0);
  expect(await listed()).toEqual(rejections.slice(0, 60));
  expect((await recycle('first.ndjson')).stdout).toMatch(/^recycling 2 booked: 60 mended records\n/);
  expect(await listed()).toEqual([]);
  expect(await listed('--all')).toHaveLength(RECORDS / BROKEN_EVERY);
  // The keys of pseudonyms are each store's own: what is compared is what is behind them.
  const bill = `SELECT * EXCEPT subscriber FROM (${BILL}) ORDER BY ALL`;
  expect(await zerorate.rows(bill, 'mended')).toEqual(await zerorate.rows(bill, 'whole'));
});

test('the same file once more books nothing', async () => {
  const { code, stdout } = await recycle('first.ndjson');
  expect(stdout).toMatch(/^recycling 2 stands already: 60 mended records\n0 records read/);
  expect(code).toBe(0);
});

test('each mended record says which rejection it was', async () => {
  const [links] = await zerorate.rows(
    'SELECT count() AS links, countIf(charges.sponsored_octets > 0) > 0 AS charged FROM recycled ' +
      'LEFT JOIN charges ON charges.topic = recycled_topic AND charges.partition = recycled.partition AND charges.offset = recycled.offset ' +
      'WHERE is_booked',
    'mended',
  );
  expect(links).toEqual({ links: RECORDS / BROKEN_EVERY, charged: 1 });
});

test('the journal holds, the source is read on, and every batch that it has is computed again', async () => {
  const again = await run('flows.ndjson', 'mended');
  expect(again.stdout).toMatch(/^0 records read/);
  const { code, stdout } = await zerorate.run(['audit', '--store', 'mended', '--source', 'flows.ndjson']);
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
      async () => mend('bad.ndjson', (await listed('--all')).slice(0, 1)),
      /bad\.ndjson:1: \S+: was recycled already.* as recycling \d/,
    ],
  ])('%s', async (_, prepare, line) => {
    await prepare();
    const { code, stderr } = await recycle('bad.ndjson');
    expect(stderr).toMatch(line);
    expect(code).toBe(2);
    expect(await zerorate.rows('SELECT max(number) AS last FROM recyclings', 'mended')).toEqual([{ last: 2 }]);
  });
});
