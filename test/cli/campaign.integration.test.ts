import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const MIB = 2 ** 20;
const [ADA, BEN, CAY] = ['999000000001', '999000000002', '999000000003'];
const STORE = ['--catalogue', 'catalogue.yaml', '--store', 'store'];
const START_MS = Date.UTC(2026, 10, 23, 12);
let zerorate: Zerorate;
let sequence = 0;
const files: string[] = [];

const CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: EUR, creditLimit: "1000" }
applications:
  - { id: shop, sponsor: acme, prefixes: [198.51.100.0/24] }
plans:
  - id: shop-launch
    application: shop
    version: 1
    effectiveFrom: 2026-11-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "0.50" }]
    campaign:
      payment: postpaid
      audience: opted-in
      caps: [{ per: day, octets: ${3 * MIB}, notifyAt: [5000] }, { per: whole, money: "100" }]
`;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  await writeFile(zerorate.path('catalogue.yaml'), CATALOGUE);
});
afterAll(() => zerorate?.remove());

const campaign = (...args: string[]): Promise<Finished> => zerorate.run(['campaign', ...args, ...STORE]);
const because = (why: string, ...rest: string[]) => ['--why', why, '--who', 'alice', ...rest];
const rowsOf = (sql: string) => zerorate.rows<Record<string, unknown>>(sql, 'store');

/** Runs an engine over a file with a record of a MiB of each subscriber; returns the reasons in their order. */
async function use(...msisdns: string[]): Promise<string[]> {
  const file = `flows-${files.length}.ndjson`;
  files.push(file);
  const records = msisdns.map((servedMsisdn) =>
    testRecord({
      servedMsisdn,
      localSequenceNumber: ++sequence,
      startTime: START_MS,
      endTime: START_MS,
      uplinkOctets: 0,
      downlinkOctets: MIB,
    }),
  );
  await writeFile(zerorate.path(file), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  expect(await zerorate.run(['run', ...STORE, '--source', file])).toMatchObject({ code: 0 });
  const rows = await rowsOf(`SELECT reason, records FROM outcomes WHERE topic LIKE '${file}%' ORDER BY reason`);
  return rows.map(({ reason, records }) => `${records} ${reason}`);
}

test('who opted in is sponsored: by name, by a list, replaced by a list; the store has no number', async () => {
  expect(await use(ADA)).toEqual(['1 not_in_audience']);
  const { stdout } = await campaign('opt-in', 'shop-launch', ADA, ...because('asked for it'));
  expect(stdout).toBe('shop-launch: 1 subscriber listed; 1 opted in, 0 opted out; the audience has 1 subscriber\n');
  const pseudonym = (await zerorate.run(['subscriber', BEN, '--store', 'store'])).stdout.trim();
  await writeFile(zerorate.path('list.txt'), `\uFEFF# opted in\n${pseudonym}\r\n\n${CAY}\n${CAY}\n`);
  const list = ['audience', 'shop-launch', 'list.txt', ...because('list of 2 November')];
  expect((await campaign(...list, '--dry-run')).stdout).toBe(
    'shop-launch: 2 subscribers listed (1 repetition left out); 2 would opt in, 1 would opt out; the audience would then have 2 subscribers\n',
  );
  expect(await use(ADA, BEN)).toEqual(['1 not_in_audience', '1 sponsored']);
  expect((await campaign(...list)).stdout).toContain('2 opted in, 1 opted out; the audience has 2 subscribers');
  expect((await campaign(...list)).stdout).toContain('the audience of 2 does not change');
  expect(await use(BEN, ADA)).toEqual(['1 not_in_audience', '1 sponsored']);
  const facts = await rowsOf(
    'SELECT number, kind, lower(hex(subscriber)) AS who FROM campaign_facts ORDER BY number, kind',
  );
  expect(facts.filter(({ kind }) => kind === 'opt_in')).toHaveLength(3);
  expect(facts).toContainEqual({ number: 2, kind: 'opt_in', who: pseudonym });
  const all = await rowsOf('SELECT * EXCEPT subscriber FROM campaign_facts');
  for (const msisdn of [ADA, BEN, CAY]) expect(JSON.stringify(all)).not.toContain(msisdn);
});

test('a list with faults is refused as a whole, by line, and shows no number', async () => {
  await writeFile(zerorate.path('faulty.txt'), `${BEN}\n0${ADA}\nnobody\n`);
  const { code, stderr } = await campaign('opt-in', 'shop-launch', '--file', 'faulty.txt', ...because('x'));
  expect(code).toBe(2);
  expect(stderr).toContain('faulty.txt:2: is no pseudonym of 32 hex digits, and as an MSISDN it begins with 0');
  expect(stderr).toContain('faulty.txt:3: is no pseudonym');
  expect(stderr).not.toContain(ADA);
  expect((await campaign('opt-in', 'shop-launch', ...because('x'))).stderr).toContain('which subscribers?');
  expect((await campaign('opt-in', 'shop-lunch', ADA, ...because('x'))).stderr).toContain(
    'did you mean "shop-launch"?',
  );
  const missing = await campaign('audience', 'shop-launch', 'none.txt', ...because('x'));
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('none.txt: cannot be read') });
});

test('a pause, a cap of the day, and the facts of a campaign; all of it replays', async () => {
  const pause = ['pause', 'shop-launch', '--key', 'legal-1', ...because('review')];
  expect((await campaign(...pause)).stdout).toBe('pause of shop-launch: booked as fact 4\n');
  expect((await campaign(...pause)).stdout).toBe('pause of shop-launch: is fact 4 already; nothing to do\n');
  expect(await use(BEN)).toEqual(['1 campaign_paused']);
  expect((await campaign('show')).stdout).toMatch(/^state +paused$/m);
  expect((await campaign('resume', 'shop-launch', '--key', 'legal-2', ...because('reviewed'))).code).toBe(0);
  expect(await use(BEN, CAY)).toEqual(['2 sponsored']);
  expect(await use(BEN)).toEqual(['1 cap_reached']);
  const { stdout } = await campaign('show', 'shop-launch');
  expect(stdout).toMatch(/^campaign +shop-launch of acme, version 1$/m);
  expect(stdout).toMatch(/^audience +2 subscribers opted in$/m);
  expect(stdout).toMatch(/^cap +100\.00 EUR in the whole campaign: 2\.00 EUR used$/m);
  expect(stdout).toMatch(
    /^ +\d+ +cap_reached .* campaign watcher +4194304 octets used of 3145728 octets on 2026-11-23$/m,
  );
  expect((await campaign('watch', '--once')).stdout).toBe('1 campaign checked, 0 facts booked\n');
  const source = ['--store', 'store', '--source', ...files];
  const audited = await zerorate.run(['audit', ...source]);
  expect(audited.stdout).not.toContain('BROKEN');
  expect(audited.code).toBe(0);
  const replayed = await zerorate.run(['replay', '--verify', ...source]);
  expect(replayed.code).toBe(0);
});

test('an erased subscriber is in no audience: another one with the number has not opted in', async () => {
  const erased = await zerorate.run(['subscriber', 'erase', CAY, '--store', 'store', ...because('request 4711')]);
  expect(erased.code).toBe(0);
  await writeFile(zerorate.path('now.txt'), `${BEN}\n${CAY}\n`);
  const list = ['audience', 'shop-launch', 'now.txt', ...because('list of 3 November'), '--dry-run'];
  const refused = await campaign(...list);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('now.txt:2: was erased: leave the line out'),
  });
  const next = (await zerorate.run(['subscriber', CAY, '--store', 'store'])).stdout.trim();
  await writeFile(zerorate.path('now.txt'), `${BEN}\n${next}\n`);
  expect((await campaign(...list)).stdout).toContain('1 would opt in, 1 would opt out');
});

test('a list without subscribers replaces no audience, and no number is kept in a reason', async () => {
  await writeFile(zerorate.path('empty.txt'), '# nothing was exported\n');
  const emptied = await campaign('audience', 'shop-launch', 'empty.txt', ...because('x'));
  expect(emptied).toMatchObject({ code: 2, stderr: expect.stringContaining('names no subscriber') });
  const named = await campaign('opt-in', 'shop-launch', ADA, ...because(`customer +${ADA} asked`));
  expect(named).toMatchObject({ code: 2, stderr: expect.stringContaining('leave the subscriber’s number out') });
  expect((await campaign('opt-in', 'shop-launch', ADA, ...because('request 471100'))).code).toBe(0);
});
