import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const MIB = 1 << 20;
const BY = ['--who', 'dpo', '--why', 'request 4711'];
const ACCOUNT = 'B-20417';
const SIMS = ['999000000001', '999000000002'];

const catalogue = (per: string, quotaOctets = 5 * MIB) => `
sponsors: [{ id: acme, name: Acme, currency: EUR, creditLimit: "1000" }]
applications: [{ id: chat, sponsor: acme, tags: [CHAT] }]
plans:
  - { id: chat-month, application: chat, version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: null, period: month,
      timeZone: UTC, content: { unknown: 10000 }, quotaOctets: null, tiers: [{ upToOctets: null, pricePerMiB: "1" }] }
quotas:
  - { id: family, sponsor: acme, version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: null, period: month, timeZone: UTC,${per}
      quotaOctets: ${quotaOctets}, plans: [chat-month] }
`;

/** 3 MiB of each SIM of one account in turns, and one of a SIM without an account: twice, of which each file has one. */
function lines(from: number): string {
  return [...SIMS, '999000000003']
    .map((servedMsisdn, at) => {
      const { accountId: _, ...fields } = testRecord({
        localSequenceNumber: from + at,
        servedMsisdn,
        zeroRatingTag: 'CHAT',
        remoteIp: '8.8.8.8',
        uplinkOctets: 0,
        downlinkOctets: 3 * MIB,
      });
      return JSON.stringify(at < SIMS.length ? { ...fields, accountId: ACCOUNT } : fields);
    })
    .join('\n');
}

let zerorate: Zerorate;
const inStore = ['--store', 'store'];
/** All that was read so far. */
const sources: string[] = [];
const run = (file: string) => {
  sources.push(file);
  return zerorate.run(['run', '--catalogue', 'catalogue.yaml', '--source', file, ...inStore]);
};
const sponsored = () =>
  zerorate.rows<{ octets: number; reason: string }>(
    'SELECT toUInt32(sponsored_octets) AS octets, toString(reason) AS reason FROM charges ORDER BY topic, offset',
    'store',
  );

beforeAll(async () => {
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('catalogue.yaml'), catalogue(' per: account,'));
  writeFileSync(zerorate.path('first.ndjson'), `${lines(1)}\n`);
  writeFileSync(zerorate.path('second.ndjson'), `${lines(4)}\n`);
});
afterAll(() => zerorate?.remove());

test('two SIMs of an account share a quota, in two runs; a SIM without one has its own', async () => {
  expect(await run('first.ndjson')).toMatchObject({ code: 0 });
  expect(await run('second.ndjson')).toMatchObject({ code: 0 });
  expect(await sponsored()).toEqual([
    { octets: 3 * MIB, reason: 'sponsored' },
    { octets: 2 * MIB, reason: 'quota_reached' },
    { octets: 3 * MIB, reason: 'sponsored' },
    { octets: 0, reason: 'quota_exhausted' },
    { octets: 0, reason: 'quota_exhausted' },
    { octets: 2 * MIB, reason: 'quota_reached' },
  ]);
});

const checked = async () => {
  const audit = await zerorate.run(['audit', '--source', ...sources, ...inStore]);
  const replay = await zerorate.run(['replay', '--verify', '--source', ...sources, ...inStore]);
  return { audit, replay };
};

test('audit and replay agree, and the account is in nothing that is kept or printed', async () => {
  const { audit, replay } = await checked();
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringMatching(/holds {3}accounts/) });
  expect(replay).toMatchObject({ code: 0 });
  const pseudonym = (await zerorate.run(['subscriber', '--account', ACCOUNT, ...inStore])).stdout.trim();
  expect(pseudonym).toMatch(/^[0-9a-f]{32}$/);
  const kept = await zerorate.rows(
    'SELECT DISTINCT quota_id, lower(hex(subscriber)) AS who FROM further_quota_counters ORDER BY who',
    'store',
  );
  expect(kept).toHaveLength(2);
  expect(kept).toContainEqual({ quota_id: 'family:account', who: pseudonym });
  const explained = await zerorate.run([
    'explain',
    'second.ndjson',
    '--offset',
    '1',
    '--catalogue',
    'catalogue.yaml',
    ...inStore,
  ]);
  expect(explained.stdout).toContain(
    `family:account: a quota of ${5 * MIB} of account ${pseudonym}; ${5 * MIB} octets used`,
  );
  for (const { stdout, stderr } of [audit, replay, explained]) expect(`${stdout}${stderr}`).not.toContain(ACCOUNT);
});

test('no log at any level and no row of the store has the account', async () => {
  const env = { ZERORATE_LOG_LEVEL: 'trace' };
  const said = await zerorate.run(
    ['run', '--catalogue', 'catalogue.yaml', '--source', 'first.ndjson', 'second.ndjson', '--store', 'traced'],
    { env },
  );
  expect(said).toMatchObject({ code: 0 });
  const tables = ['journal', 'catalogues', 'pseudonym_keys'];
  const rows = await zerorate.answers(
    tables.map((table) => `SELECT * FROM ${table}`),
    'traced',
  );
  for (const text of [said.stdout, said.stderr, ...rows]) expect(text).not.toContain(ACCOUNT);
  const read = await zerorate.run(['check', '--source', 'first.ndjson', '--catalogue', 'catalogue.yaml']);
  expect(`${read.stdout}${read.stderr}`).not.toContain(ACCOUNT);
});

test('a rejected record is kept without its account', async () => {
  const bad = { ...testRecord({ localSequenceNumber: 99, accountId: ACCOUNT, downlinkOctets: -1 }) };
  writeFileSync(zerorate.path('third.ndjson'), `${JSON.stringify(bad)}\n{"accountId":"${ACCOUNT}","nodeId\n`);
  const said = await run('third.ndjson');
  const list = await zerorate.run(['rejections', 'list', ...inStore]);
  const kept = await zerorate.rows('SELECT detail, payload FROM rejections', 'store');
  expect(kept).toHaveLength(2);
  for (const text of [JSON.stringify(kept), said.stdout, said.stderr, list.stdout]) expect(text).not.toContain(ACCOUNT);
});

test('whose use a quota counts does not change under its id', async () => {
  writeFileSync(zerorate.path('other.yaml'), catalogue(''));
  const refused = await zerorate.run(['run', '--catalogue', 'other.yaml', '--source', 'first.ndjson', ...inStore]);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/subscriber differs from account, which quota family has counted by until now/),
  });
  const check = await zerorate.run(['catalogue', 'diff', 'catalogue.yaml', 'other.yaml']);
  expect(check.stdout).toMatch(/per/);
});

test('a correction reads the accounts from the source; from charge rows it is refused', async () => {
  writeFileSync(zerorate.path('larger.yaml'), catalogue(' per: account,', 7 * MIB));
  const args = [
    'rerate',
    '--sponsor',
    'acme',
    '--from',
    '2026-11-01',
    '--to',
    '2026-12-01',
    '--catalogue',
    'larger.yaml',
    ...inStore,
  ];
  const fromRows = await zerorate.run(args);
  expect(fromRows).toMatchObject({ code: 2, stderr: expect.stringContaining('rerate --from-source') });
  const fromSource = await zerorate.run([...args, '--source', ...sources]);
  expect(fromSource).toMatchObject({ code: 0, stderr: expect.not.stringContaining(ACCOUNT) });
  // 2 MiB more for the account, and 1 more for the SIM without one, at 1 EUR each.
  expect(fromSource.stdout).toMatch(/3\.00/);
});

test('an erased account has another pseudonym, and the journal holds as before', async () => {
  const pseudonymOf = async () => (await zerorate.run(['subscriber', '--account', ACCOUNT, ...inStore])).stdout.trim();
  const before = await pseudonymOf();
  const erased = await zerorate.run(['subscriber', 'erase', '--account', ACCOUNT, ...inStore, ...BY]);
  expect(erased).toMatchObject({ code: 0, stdout: expect.stringMatching(/erasure 1 of this key/) });
  expect(erased.stdout).not.toContain(ACCOUNT);
  expect(await pseudonymOf()).not.toBe(before);
  const { audit, replay } = await checked();
  expect([audit.code, replay.code]).toEqual([0, 0]);
  const again = await zerorate.run(['subscriber', 'erase', '--account', ACCOUNT, ...inStore, ...BY]);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/erased already/) });
  const refused = await zerorate.run([
    'subscriber',
    'erase',
    '--account',
    ACCOUNT,
    ...inStore,
    '--who',
    'dpo',
    '--why',
    ACCOUNT,
  ]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.not.stringContaining(ACCOUNT) });
});

test('a number after --account is the subscriber’s, and each account has the option itself', async () => {
  const print = async (...args: string[]) =>
    (await zerorate.run(['subscriber', ...args, ...inStore])).stdout.trim().split('\n');
  const [number] = await print('999000000001');
  const accounts = [...(await print('--account', 'B-1')), ...(await print('--account', 'B-2'))];
  expect(await print('--account', 'B-1', '--account', 'B-2', '999000000001')).toEqual([number, ...accounts]);
  expect(await print('--account', 'B-1', '999000000001')).toEqual([number, accounts[0]]);
});
