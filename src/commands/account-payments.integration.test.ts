import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { camt053, type Entry } from '../finance/camt053.fixture.ts';
import { packagePath } from '../platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

let zerorate: Zerorate;
const STORE = ['--catalogue', 'catalogue.yaml', '--store', 'store'];

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const demo = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8');
  writeFileSync(
    zerorate.path('catalogue.yaml'),
    demo.replace(/(id: lumen\b[^\n]*?)creditLimit/, '$1bankAccounts: ["JP 12 3456"], creditLimit'),
  );
});
afterAll(() => zerorate?.remove());

function load(entries: readonly Entry[], options: { statementId?: string; dryRun?: boolean; args?: string[] } = {}) {
  const { dryRun = false, args = [], ...statement } = options;
  writeFileSync(zerorate.path('bank.xml'), camt053(entries, statement));
  const more = dryRun ? ['--dry-run', ...args] : args;
  return zerorate.run(['account', 'payment', '--camt053', 'bank.xml', '--who', 'ada', ...more, ...STORE]);
}
const entries = () =>
  zerorate.rows<Record<string, unknown>>(
    'SELECT sponsor_id AS sponsor, kind, toString(amount_micros) AS micros, toString(toDate(effective_at)) AS day FROM account_entries ORDER BY number',
    'store',
  );

const NOVEMBER: Entry[] = [
  { reference: 'R1', amount: '0100.50', text: 'for chatter' },
  { reference: 'R2', amount: '5000', currency: 'JPY', iban: 'JP123456' },
  { reference: 'R3', direction: 'DBIT', text: 'chatter' },
  { reference: 'R4', status: 'PDNG', text: 'chatter' },
  { reference: 'R5', direction: 'DBIT', isReversal: true, text: 'chatter' },
  {
    reference: 'R6',
    batch: [
      { amount: '60', text: 'chatter' },
      { amount: '40', text: 'chatter' },
    ],
  },
];
const BOOKED = [
  { sponsor: 'chatter', kind: 'payment', micros: '100500000', day: '2026-11-02' },
  { sponsor: 'lumen', kind: 'payment', micros: '5000000000', day: '2026-11-02' },
  { sponsor: 'chatter', kind: 'payment', micros: '60000000', day: '2026-11-02' },
  { sponsor: 'chatter', kind: 'payment', micros: '40000000', day: '2026-11-02' },
];

test('credits are booked once, whatever file they come in; debits, reversals and pending ones are not', async () => {
  const first = await load(NOVEMBER);
  expect(first.stdout).toMatch(/4 booked, 3 no payment$/m);
  expect(first.code).toBe(0);
  expect(await entries()).toEqual(BOOKED);

  const dry = await load(NOVEMBER, { dryRun: true });
  expect(dry.stdout).toMatch(/4 booked before, 3 no payment$/m);
  const again = await load([...NOVEMBER.slice(0, 2), { reference: 'R7', text: 'chatter' }], { statementId: 'S-2' });
  expect(again.stdout).toMatch(/1 booked, 2 booked before$/m);
  expect((await entries()).slice(0, 4)).toEqual(BOOKED);
  expect(await entries()).toHaveLength(5);
});

test('what is not known, not clear or not possible is listed with its place and booked by nobody', async () => {
  const before = await entries();
  const odd = await load([
    { reference: 'U1', text: 'hello' },
    { reference: 'U2', text: 'chatter lumen' },
    { reference: 'U3', text: 'chatter', currency: 'EUR' },
    { reference: 'U4', text: 'chatter', amount: '0.001' },
    { text: 'chatter' },
    { reference: 'U5', text: 'chatter' },
    { reference: 'U5', text: 'chatter', amount: '7' },
    { reference: 'R1', text: 'chatter', amount: '1' },
    {
      reference: 'U6',
      batch: [
        { amount: '1', text: 'chatter' },
        { amount: '2', text: 'chatter' },
      ],
    },
  ]);
  expect(odd.code).toBe(1);
  expect(odd.stdout).toMatch(/9 NOT BOOKED$/m);
  for (const line of [
    /bank\.xml:4 .*names no invoice, no sponsor/,
    /bank\.xml:5 .*several sponsors: chatter, lumen/,
    /bank\.xml:6 .*account of chatter is in USD/,
    /bank\.xml:7 .*0\.01 USD/,
    /bank\.xml:8 .*no AcctSvcrRef/,
    /bank\.xml:9 .*given twice/,
    /bank\.xml:10 .*given twice/,
    /bank\.xml:11 .*entry 1 of 100\.50 USD already/,
    /bank\.xml:12 .*do not add up/,
  ])
    expect(odd.stdout).toMatch(line);
  expect(await entries()).toEqual(before);
});

test('a dry run books nothing; options of one payment and other files are refused', async () => {
  const before = await entries();
  const dry = await load([{ reference: 'D1', text: 'chatter' }], { dryRun: true });
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/would be booked +by sponsor id/) });
  expect(await load([], { args: ['--key', 'x'] })).toMatchObject({ code: 2, stderr: expect.stringContaining('--key') });
  const pay = (...args: string[]) => zerorate.run(['account', 'payment', ...args, ...STORE]);
  expect((await pay('--camt053', 'none.xml')).stderr).toContain('none.xml: cannot be read');
  expect(await pay('--sponsor', 'chatter')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--amount, --currency, --key, --why'),
  });
  expect(await pay('--dry-run', '--sponsor', 'chatter')).toMatchObject({ code: 2 });
  expect(await entries()).toEqual(before);
});
