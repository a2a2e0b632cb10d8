import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import { startClickHouse } from '../servers/clickhouse-server.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

let zerorate: Zerorate;
/** The demo's catalogue, but Chatter may owe no more than a dollar. */
const STORE = ['--catalogue', 'catalogue.yaml', '--store', 'store'];
const FILES = ['one.ndjson', 'two.ndjson', 'three.ndjson'];

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const demo = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8');
  await writeFile(zerorate.path('catalogue.yaml'), demo.replace('"5000.00"', '"1.00"'));
  const generated = FILES.map((file, at) =>
    zerorate.run(['generate', '--out', file, '--records', '5000', '--seed', String(at + 1), '--nodes', String(at + 1)]),
  );
  for (const { code } of await Promise.all(generated)) expect(code).toBe(0);
});
afterAll(() => zerorate?.remove());

const account = (...args: string[]): Promise<Finished> => zerorate.run(['account', ...args]);
const top = (key: string, amount: string, store = STORE) =>
  account(
    'top-up',
    '--sponsor',
    'chatter',
    '--amount',
    amount,
    '--currency',
    'USD',
    '--key',
    key,
    '--why',
    'paid',
    ...store,
  );
const run = (file: string) => zerorate.run(['run', ...STORE, '--source', file]);
const show = async () => {
  const { stdout } = await account('show', '--sponsor', 'chatter', ...STORE, '--format', 'JSONEachRow');
  return JSON.parse(stdout);
};
const rowsOf = (sql: string) => zerorate.rows<Record<string, unknown>>(sql, 'store');

test('a sponsor is suspended past its limit, pays for nothing, continues after a top-up, and it all replays', async () => {
  expect(await run('one.ndjson')).toMatchObject({ code: 0 });
  const suspended = await show();
  expect(suspended).toMatchObject({ suspended: true, suspended_by: 'credit watcher', credit_limit_micros: '1000000' });
  expect(BigInt(suspended.left_micros)).toBeLessThan(0n);
  const shown = await account('show', '--sponsor', 'chatter', ...STORE);
  expect(shown.stdout).toMatch(/^resumes +automatically with \d+\.\d\d USD more .*watch --once/m);
  expect(BigInt(suspended.balance_micros)).toBe(-BigInt(suspended.charged_micros));

  expect(await run('two.ndjson')).toMatchObject({ code: 0 });
  expect((await show()).charged_micros).toBe(suspended.charged_micros);
  expect(await top('bank-1', '1000')).toMatchObject({
    code: 0,
    stdout: 'top-up of 1000.00 USD for chatter: booked as entry 2\n',
  });
  expect(await account('watch', '--once', ...STORE)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^resumption of chatter: balance 9.+ USD is within .+\n4 sponsors checked, 1 entr/),
  });

  expect(await run('three.ndjson')).toMatchObject({ code: 0 });
  const after = await show();
  expect(after).toMatchObject({ suspended: false, suspended_since: null, credited_micros: '1000000000' });
  expect(BigInt(after.charged_micros)).toBeGreaterThan(BigInt(suspended.charged_micros));
  expect(after.entries.map(({ kind, number }: Record<string, string>) => `${number} ${kind}`)).toEqual([
    '1 suspension',
    '2 top-up',
    '3 resumption',
  ]);
  const batches = await rowsOf('SELECT DISTINCT suspension_number AS fact FROM batches ORDER BY lane_sequence');
  expect(batches).toEqual([{ fact: 0 }, { fact: 1 }, { fact: 3 }]);

  const source = ['--store', 'store', '--source', ...FILES];
  const replayed = await zerorate.run(['replay', '--verify', ...source]);
  expect(replayed.stdout).toMatch(/^files +3 +15 000 +3 +0 +0$/m);
  expect(replayed.code).toBe(0);
  const audited = await zerorate.run(['audit', ...source]);
  expect(audited.stdout).not.toContain('BROKEN');
  expect(audited.code).toBe(0);
});

test('an account is shown to people with exact amounts, and with --format as ClickHouse formats it', async () => {
  expect(await top('bank-shown', '0.001')).toMatchObject({ code: 2, stderr: expect.stringContaining('0.01 USD') });
  expect(await top('bank-shown', '0.01')).toMatchObject({ code: 0 });
  const { stdout, code } = await account('show', '--sponsor', 'chatter', ...STORE);
  expect(code).toBe(0);
  const { balance_micros, credit_limit_micros, left_micros } = await show();
  expect(BigInt(left_micros)).toBe(BigInt(balance_micros) + BigInt(credit_limit_micros));
  expect(stdout).toMatch(/^credited +1000\.01 USD$/m);
  expect(stdout).toMatch(/^credit limit +1\.00 USD$/m);
  expect(stdout).toMatch(/^suspended +no$/m);
  expect(stdout).toMatch(/^ +3 {2}resumption {2,}2\d{3}-.+ {2}credit watcher {2}credit-chatter-2 +balance 9/m);
  expect(stdout).toMatch(/^ +4 {2}top-up +0\.01 USD {2}.+ {2}bank-shown +paid$/m);
});

test('the same command again changes nothing and says so; who books is the user, or who was named', async () => {
  const adjust = (...more: string[]) =>
    account(
      'adjust',
      '--sponsor',
      'parley',
      '--amount',
      '-2.5',
      '--currency',
      'EUR',
      '--key',
      'a-1',
      '--why',
      'x',
      ...STORE,
      ...more,
    );
  const named = ['--who', 'alice', '--effective', '2026-11-02T01:00:00+01:00'];
  const first = await adjust(...named);
  expect(first.stdout).toMatch(/^adjustment of -2\.50 EUR for parley: booked as entry (\d+)\n$/);
  const [, number] = /entry (\d+)/.exec(first.stdout) ?? [];
  expect(await adjust(...named)).toMatchObject({
    code: 0,
    stdout: `adjustment of -2.50 EUR for parley: is entry ${number} already; nothing to do\n`,
  });
  const other = await adjust('--who', 'bob');
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining(`is used by entry ${number}`) });
  expect(
    await rowsOf(`SELECT who, toString(effective_at) AS at FROM account_entries WHERE number = ${number}`),
  ).toEqual([{ who: 'alice', at: '2026-11-02 00:00:00.000' }]);
});

test('a look brings the store of a version before up to date, as all that books does', async () => {
  const newest = () => rowsOf('SELECT max(number) AS newest FROM schema_migrations');
  const now = await newest();
  await rowsOf(
    `ALTER TABLE schema_migrations DELETE WHERE number = ${String(now[0]?.newest)} SETTINGS mutations_sync = 2`,
  );
  expect(await newest()).not.toEqual(now);
  expect(await account('watch', '--once', ...STORE)).toMatchObject({ code: 0 });
  expect(await newest()).toEqual(now);
});

describe('bad input is refused with a clear line and exit code 2, and nothing is booked', () => {
  const count = () => rowsOf('SELECT count() AS n FROM account_entries');
  let before: unknown;
  beforeAll(async () => {
    expect(await top('bank-good', '0.01')).toMatchObject({ code: 0 });
    before = await count();
  });
  afterAll(async () => expect(await count()).toEqual(before));

  const money = (sponsor: string, amount: string, currency: string, kind = 'top-up', store = STORE) => [
    ...[kind, '--sponsor', sponsor, '--amount', amount, '--currency', currency],
    ...['--key', 'bad', '--why', 'x', ...store],
  ];
  const fact = (...more: string[]) => ['suspend', '--sponsor', 'lumen', '--why', 'x', ...STORE, ...more];
  test.each<[string, string[], RegExp]>([
    [
      'an unknown sponsor',
      money('chater', '1', 'USD'),
      /catalogue\.yaml: has no sponsor "chater" \(did you mean "chatter"\?\)/,
    ],
    ['another currency', money('chatter', '1', 'EUR'), /the account of chatter is in USD, got "EUR"/],
    ['more digits than micro-units', money('lumen', '0.0000001', 'JPY'), /at most 6 decimals/],
    ['an amount of nothing', money('chatter', '0', 'USD'), /moves nothing/],
    ['a top-up below 0', money('chatter', '-1', 'USD'), /above 0/],
    ['an adjustment of nothing', money('chatter', '0.00', 'USD', 'adjust'), /moves nothing/],
    ['no amount', ['rebate', '--sponsor', 'chatter', '--currency', 'USD', '--key', 'k', '--why', 'x'], /--amount/],
    ['no key', ['suspend', '--sponsor', 'chatter', '--why', 'x', ...STORE], /--key/],
    ['an empty reason', [...money('chatter', '1', 'USD'), '--why', ' '], /why: expected a text/],
    ['the watcher’s name', fact('--key', 'k', '--who', 'credit watcher'), /the engine's own/],
    ['a time without an offset', fact('--key', 'k', '--effective', '2026-11-02T00:00:00'), /with its offset/],
    ['a time to come', fact('--key', 'k', '--effective', '2999-01-01T00:00:00Z'), /not to come/],
    [
      'a resumption of nothing',
      ['resume', '--sponsor', 'lumen', '--key', 'k', '--why', 'x', ...STORE],
      /not suspended/,
    ],
    ['no catalogue', money('chatter', '1', 'USD', 'top-up', ['--store', 'store']), /which catalogue\?/],
    ['no store', money('chatter', '1', 'USD', 'top-up', ['--catalogue', 'catalogue.yaml']), /which store\?/],
    [
      'no store there to show',
      ['show', '--sponsor', 'chatter', '--catalogue', 'catalogue.yaml', '--store', 'never'],
      /no store is there/,
    ],
    [
      'no store there to watch',
      ['watch', '--once', '--catalogue', 'catalogue.yaml', '--store', 'never'],
      /no store is there/,
    ],
  ])('%s', async (_, args, line) => {
    const { code, stderr } = await account(...args);
    expect(stderr).toMatch(line);
    expect(code).toBe(2);
  });
});

test('while an engine has the embedded store, a booking says so and books nothing', async () => {
  const holder = spawn(
    process.execPath,
    [await builtModule('development/servers/clickhouse-http-main.js'), zerorate.path('store/clickhouse')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await once(holder.stdout, 'data');
    const { code, stderr } = await top('bank-busy', '1');
    expect(stderr).toContain('the store is in use by another process');
    expect(code).toBe(1);
  } finally {
    holder.kill();
    await once(holder, 'exit');
  }
});

test('a sponsor may pay before its first record: over a server too the store is made, and said', async () => {
  const server = await startClickHouse();
  try {
    const database = `zerorate_account_${process.pid}`;
    await writeFile(
      zerorate.path('server.yaml'),
      `catalogue: catalogue.yaml
source: { files: [one.ndjson] }
store: { url: "${server.url}", database: ${database} }
quotaUpdates: { file: quota-updates.ndjson }
`,
    );
    const env = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
    const served = (...args: string[]) => zerorate.run(['account', ...args, '--config', 'server.yaml'], { env });
    const money = ['--sponsor', 'chatter', '--amount', '5', '--currency', 'USD', '--why', 'paid'];
    expect(await served('payment', ...money, '--key', 'p-1')).toMatchObject({
      code: 0,
      stdout: 'payment of 5.00 USD for chatter: booked as entry 1\n',
      stderr: expect.stringMatching(new RegExp(`${database}: made a new store`)),
    });
    const racers = await Promise.all(
      Array.from({ length: 3 }, (_, at) => served('rebate', ...money, '--key', `r-${at}`)),
    );
    expect(racers.map(({ stdout }) => /entry \d/.exec(stdout)?.[0]).sort()).toEqual(['entry 2', 'entry 3', 'entry 4']);
    const { stdout } = await served('show', '--sponsor', 'chatter');
    expect(stdout).toMatch(/^balance +20\.00 USD$/m);
  } finally {
    await server.stop();
  }
});
