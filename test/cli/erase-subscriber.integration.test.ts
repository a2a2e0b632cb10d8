import { execFile } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const BY = ['--who', 'dpo', '--why', 'request 4711'];
let zerorate: Zerorate;
let records: { servedMsisdn: string; servedImsi: string }[];
/** The busiest subscriber, who is erased; and another one, who is not. */
let erased: string;
let other: string;
/** The pseudonym that was erased. */
let booked: string;

const run = (source: string) => zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', 'store']);
const erase = (numbers: string[], store = 'store', env = {}) =>
  zerorate.run(['subscriber', 'erase', ...numbers, '--store', store, ...BY], { env });
const pseudonymOf = async (number: string) =>
  (await zerorate.run(['subscriber', number, '--store', 'store'])).stdout.trim();
const totals = async (subscriber: string) =>
  (
    await zerorate.rows<{ records: number; micros: number }>(
      'SELECT count() AS records, sum(charge_micros) AS micros, sum(sponsored_octets) AS octets FROM charges ' +
        `WHERE subscriber = '${subscriber}'`,
      'store',
    )
  )[0];
const keyFile = () => zerorate.path('store/development-pseudonym.key');

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const shares = ['--seed', '17', '--subscribers', '40', '--malformed', '0.02', '--duplicate', '0.01'];
  await zerorate.run(['generate', '--out', 'flows.ndjson', '--records', '4000', ...shares]);
  records = readFileSync(zerorate.path('flows.ndjson'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    })
    .filter(({ servedMsisdn }) => /^\d{12}$/.test(servedMsisdn));
  const counts = new Map<string, number>();
  for (const { servedMsisdn } of records) counts.set(servedMsisdn, (counts.get(servedMsisdn) ?? 0) + 1);
  [[erased], [other]] = [...counts].sort((a, b) => b[1] - a[1]);
  expect(await run('flows.ndjson')).toMatchObject({ code: 0 });
});
afterAll(() => zerorate?.remove());

test('an erasure destroys the way to a subscriber and keeps the money, and everybody else', async () => {
  const imsi = records.find(({ servedMsisdn }) => servedMsisdn === erased)?.servedImsi ?? '';
  booked = await pseudonymOf(erased);
  const [beforeOther, beforeImsi] = [await pseudonymOf(other), await pseudonymOf(imsi)];
  const money = await totals(booked);
  expect(money.records).toBeGreaterThan(100);
  const oldKey = readFileSync(keyFile(), 'utf8');
  writeFileSync(zerorate.path('old.key'), oldKey);

  const said = await erase([erased, imsi]);
  expect(said).toMatchObject({ code: 0, stderr: '' });
  expect(said.stdout).toMatch(/erasure 1 of this key.*engine.*copy of the older key/s);
  for (const digits of [erased, imsi, booked]) expect(said.stdout).not.toContain(digits);

  expect(await totals(booked)).toEqual(money);
  expect(await pseudonymOf(other)).toBe(beforeOther);
  expect(await pseudonymOf(erased)).not.toBe(booked);
  expect(await pseudonymOf(imsi)).not.toBe(beforeImsi);
  expect((await zerorate.run(['subscriber', erased, '--store', 'store'])).stderr).toContain('erased');
  const file = readFileSync(keyFile(), 'utf8');
  expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  expect(file).not.toContain(oldKey.trim());
  expect(file).not.toContain(booked);
  const facts = await zerorate.rows('SELECT number, who, why FROM pseudonym_keys ORDER BY number', 'store');
  expect(facts).toEqual([
    { number: 1, who: '', why: '' },
    { number: 2, who: 'dpo', why: 'request 4711' },
  ]);
});

test('erasing once more changes nothing', async () => {
  const file = readFileSync(keyFile(), 'utf8');
  const again = await erase([erased]);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('erased already') });
  expect(readFileSync(keyFile(), 'utf8')).toBe(file);
  expect(await zerorate.rows('SELECT max(number) AS last FROM pseudonym_keys', 'store')).toEqual([{ last: 2 }]);
});

test('the journal holds, and what the source gives is still what was booked', async () => {
  expect(await zerorate.run(['audit', '--store', 'store'])).toMatchObject({ code: 0 });
  const audit = await zerorate.run(['audit', '--store', 'store', '--source', 'flows.ndjson']);
  expect(audit).toMatchObject({ code: 0 });
  expect(audit.stdout).toMatch(/\d+ records are of erased subscribers: .* taken from the journal/);
  expect(audit.stdout).not.toContain('BROKEN');
  const replay = await zerorate.run(['replay', '--verify', '--store', 'store', '--source', 'flows.ndjson']);
  expect(replay.stdout).toContain('their pseudonyms are taken from the journal');
  expect(replay).toMatchObject({ code: 0 });
});

test('after an erasure a replay still compares every batch, and a changed source is red', async () => {
  const original = readFileSync(zerorate.path('flows.ndjson'), 'utf8');
  const replay = () => zerorate.run(['replay', '--verify', '--store', 'store', '--source', 'flows.ndjson']);
  try {
    writeFileSync(zerorate.path('flows.ndjson'), original.replaceAll('"uplinkOctets":1', '"uplinkOctets":2'));
    expect(await replay()).toMatchObject({ code: 1, stdout: expect.stringContaining('rated once more it is') });
  } finally {
    writeFileSync(zerorate.path('flows.ndjson'), original);
  }
  const none = await zerorate.run(['replay', '--verify', '--store', 'store', '--source', 'old.key', '--from', '900']);
  expect(none.code).not.toBe(0);
});

test('an amount of an erased subscriber that was changed is still found', async () => {
  await changed(async () => {
    const audit = await zerorate.run(['audit', '--store', 'store', '--source', 'flows.ndjson']);
    expect(audit).toMatchObject({ code: 1, stdout: expect.stringMatching(/charge_micros \d+, computed again/) });
  });
});

test('an engine with the key of before is refused, and so is one with another key', async () => {
  const withKey = (env: Record<string, string>) =>
    zerorate.run(['run', '--catalogue', CATALOGUE, '--source', 'flows.ndjson', '--store', 'store'], { env });
  const older = await withKey({ ZERORATE_PSEUDONYM_KEY_FILE: zerorate.path('old.key') });
  expect(older).toMatchObject({ code: 2, stderr: expect.stringContaining('this key is older than the store') });
  const another = await withKey({ ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) });
  expect(another).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not the key that the store is booked with'),
  });
  const audit = await zerorate.run(['audit', '--store', 'store', '--source', 'flows.ndjson'], {
    env: { ZERORATE_PSEUDONYM_KEY_FILE: zerorate.path('old.key') },
  });
  expect(audit).toMatchObject({ code: 2, stderr: expect.stringContaining('older than the store') });
  expect(await run('flows.ndjson')).toMatchObject({ code: 0 });
});

test('the number’s next life has a pseudonym of its own, and is erased in its turn', async () => {
  const [{ offset }] = await zerorate.rows<{ offset: number }>(
    `SELECT offset FROM charges WHERE subscriber = '${booked}' LIMIT 1`,
    'store',
  );
  const first = JSON.parse(readFileSync(zerorate.path('flows.ndjson'), 'utf8').split('\n')[offset]);
  writeFileSync(
    zerorate.path('later.ndjson'),
    Array.from({ length: 5 }, (_, at) => JSON.stringify({ ...first, nodeId: 'later', localSequenceNumber: at }))
      .join('\n')
      .concat('\n'),
  );
  expect(await run('later.ndjson')).toMatchObject({ code: 0 });
  const next = await pseudonymOf(erased);
  expect((await totals(next)).records).toBe(5);
  const said = await erase([erased]);
  expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('erasure 2 of this key') });
  expect(await pseudonymOf(erased)).not.toBe(next);
  expect((await totals(next)).records).toBe(5);
  const audit = ['audit', '--store', 'store', '--source', 'flows.ndjson', 'later.ndjson'];
  expect(await zerorate.run(audit)).toMatchObject({ code: 0 });
});

test('an erasure that was cut short before it was booked is booked by the next process', async () => {
  const before = readFileSync(keyFile(), 'utf8');
  await command('ALTER TABLE pseudonym_keys DELETE WHERE number = 3 SETTINGS mutations_sync = 2');
  expect(await erase([erased])).toMatchObject({ code: 0, stdout: expect.stringContaining('erased already') });
  expect(readFileSync(keyFile(), 'utf8')).toBe(before);
  const [fact] = await zerorate.rows('SELECT who, why FROM pseudonym_keys WHERE number = 3', 'store');
  expect(fact).toEqual({ who: 'dpo', why: 'request 4711' });
});

test.each<[string, () => Promise<Finished>, string]>([
  [
    'a key from the environment',
    () => erase([other], 'store', { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) }),
    'cannot rewrite a variable. Write the key to a file',
  ],
  ['what is no number', () => erase(['+49 170 1234567']), 'is not 1 to 15 digits in E.164 form'],
  [
    'a reason that names the subscriber',
    () =>
      zerorate.run(['subscriber', 'erase', other, '--store', 'store', '--who', 'dpo', '--why', `she asked (${other})`]),
    'leave the number and the account out of them',
  ],
  ['no store', () => zerorate.run(['subscriber', 'erase', other, ...BY]), 'which store?'],
])('%s is refused with what to do, and nothing is erased', async (_, attempt, message) => {
  const before = readFileSync(keyFile(), 'utf8');
  const { code, stderr } = await attempt();
  expect(stderr).toContain(message);
  expect(code).toBe(2);
  expect(stderr).not.toContain(other);
  expect(readFileSync(keyFile(), 'utf8')).toBe(before);
});

/** Changes a row of the erased subscriber, which is tampering, and back. */
async function changed(work: () => Promise<void>): Promise<void> {
  const ofErased = `kind = 'charge' AND subscriber = unhex('${booked}')`;
  const where = `${ofErased} AND offset = (SELECT max(offset) FROM journal WHERE ${ofErased})`;
  const change = (sign: string) =>
    command(
      `ALTER TABLE journal UPDATE charge_micros = charge_micros ${sign} 1 WHERE ${where} SETTINGS mutations_sync = 2`,
    );
  await change('+');
  await work();
  await change('-');
}

/** In a process of its own: one at a time has an embedded store. */
async function command(sql: string): Promise<void> {
  const script = `import { openEmbeddedStore } from ${JSON.stringify(await builtModule('platform/clickhouse/embedded-store.js'))};
    const store = await openEmbeddedStore(${JSON.stringify(zerorate.path('store'))}, { create: false });
    await store.command(${JSON.stringify(sql)});
    await store.close();`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
}
