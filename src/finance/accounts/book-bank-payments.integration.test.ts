import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { systemClock } from '../../platform/clock.ts';
import { catalogueOf } from '../statements/finance.fixture.ts';
import { type BankPayment, bookBankPayments } from './book-bank-payments.ts';
import { camt053, type Entry } from './camt053.fixture.ts';
import { payerIndex } from './match-payment.ts';
import { readCamt053 } from './read-camt053.ts';

const { sponsors } = catalogueOf(`
sponsors:
  - { id: chatter, name: Chatter, currency: USD, creditLimit: "10" }
  - { id: lumen, name: Lumen, currency: JPY, creditLimit: "10", bankAccounts: [jp 12 3456] }
applications: []
plans: []
`);
let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

async function load(
  entries: readonly Entry[],
  { statementId = 'S-1', dryRun = false, who = 'ada' } = {},
): Promise<BankPayment[]> {
  const movements = readCamt053(Buffer.from(camt053(entries, { statementId })), 'bank.xml');
  const payers = await payerIndex(opened.store, sponsors);
  return bookBankPayments(movements, { store: opened.store, sponsors, payers, who, clock: systemClock, dryRun });
}
const outcomeOf = ({ outcome }: BankPayment) => outcome;
const entries = () =>
  opened.store.query(
    'SELECT sponsor_id AS sponsor, toString(kind) AS kind, toString(amount_micros) AS micros, toString(toDate(effective_at)) AS day FROM account_entries ORDER BY number',
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

test('credits are booked once, in any file; debits, reversals and pending ones are not', async () => {
  const first = (await load(NOVEMBER)).map(outcomeOf);
  expect(first).toEqual(['booked', 'booked', 'ignored', 'ignored', 'ignored', 'booked', 'booked']);
  expect(await entries()).toEqual(BOOKED);

  const dry = (await load(NOVEMBER, { dryRun: true })).map(outcomeOf);
  expect(dry).toEqual(first.map((outcome) => (outcome === 'booked' ? 'existing' : outcome)));
  const more = [...NOVEMBER.slice(0, 2), { reference: 'R7', text: 'chatter' }];
  const again = (await load(more, { statementId: 'S-2', who: 'bob' })).map(outcomeOf);
  expect(again).toEqual(['existing', 'existing', 'booked']);
  expect((await entries()).slice(0, 4)).toEqual(BOOKED);
  expect(await entries()).toHaveLength(5);
});

test('an unknown, ambiguous or impossible payment is listed with its place and not booked', async () => {
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
  expect(odd.map(outcomeOf)).toEqual(odd.map(() => 'open'));
  for (const [at, message] of [
    /^names no invoice, no sponsor/,
    /^names several sponsors: chatter, lumen/,
    /account of chatter is in USD/,
    /0\.01 USD/,
    /^has no AcctSvcrRef/,
    /given twice/,
    /given twice/,
    /entry 1 of 100\.50 USD already/,
    /do not add up/,
  ].entries())
    expect(odd[at].detail).toMatch(message);
  expect(await entries()).toEqual(before);
});

test('an invoice of the store names its sponsor', async () => {
  const views = await opened.store.query(
    "SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = 'invoices'",
  );
  if (views.length === 0) {
    await opened.store.command("CREATE VIEW invoices AS SELECT 'INV-2026-7' AS invoice_number, 'lumen' AS sponsor_id");
    const [paid] = await load([{ reference: 'I1', amount: '12', currency: 'JPY', document: 'inv-2026-7' }]);
    await opened.store.command('DROP VIEW invoices');
    expect(paid).toMatchObject({
      outcome: 'booked',
      sponsorId: 'lumen',
      detail: expect.stringContaining('invoice INV-2026-7'),
    });
  } else {
    expect((await payerIndex(opened.store, sponsors)).invoices.size).toBe(0);
  }
});
