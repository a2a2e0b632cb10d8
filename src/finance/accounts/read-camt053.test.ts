import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../platform/config/config-error.ts';
import { camt053, type Entry } from './camt053.fixture.ts';
import { matchPayment } from './match-payment.ts';
import { type BankMovement, readCamt053 } from './read-camt053.ts';

const read = (xml: string | Buffer) => readCamt053(Buffer.from(xml), 'bank.xml');
const of = (...entries: Entry[]): BankMovement[] => read(camt053(entries));
const PAYMENT = {
  reference: 'R1',
  debtor: 'Chatter Ltd',
  iban: 'GB82WEST12345698765432',
  text: 'invoice INV-7 chatter',
};

describe.each(['02', '04', '08', '13'])('camt.053.001.%s', (version) => {
  test.each(['', 'ns2'])('an entry is read with all that names its payer, with the prefix "%s"', (prefix) => {
    expect(read(camt053([PAYMENT], { version, prefix }))).toEqual([
      {
        line: 4,
        statementId: 'S-1',
        account: 'DE89370400440532013000',
        reference: 'R1',
        amount: '100.00',
        currency: 'USD',
        isCredit: true,
        isReversal: false,
        status: 'BOOK',
        day: '2026-11-02',
        debtorName: 'Chatter Ltd',
        debtorAccount: 'GB82WEST12345698765432',
        references: [],
        remittance: ['invoice INV-7 chatter'],
        fault: null,
      },
    ]);
  });

  test('a batch is a movement for each transaction', () => {
    const batch = [
      { reference: 'A', amount: '60.5', text: 'one' },
      { amount: '39.50', text: 'two' },
    ];
    const parts = read(camt053([{ reference: 'R1', batch }], { version }));
    expect(parts.map(({ reference, amount, fault }) => [reference, amount, fault])).toEqual([
      ['R1/A', '60.5', null],
      ['R1/2', '39.50', null],
    ]);
  });
});

test('a batch whose transactions do not add up is one movement', () => {
  const [whole, ...others] = of({ reference: 'R1', batch: [{ amount: '60' }, { amount: '39.99' }] });
  expect(others).toEqual([]);
  expect(whole).toMatchObject({ amount: '100.00', fault: 'its 2 transactions do not add up to 100.00 USD' });
});

test('text in lines, entities and another encoding is read as one line', () => {
  const xml = camt053([{ ...PAYMENT, debtor: 'K&amp;\n Söhne' }]);
  expect(read(`\uFEFF${xml}`)[0].debtorName).toBe('K& Söhne');
  const latin = `<?xml version="1.0" encoding="ISO-8859-1"?>\r\n${xml}`;
  expect(read(Buffer.from(latin, 'latin1'))[0]).toMatchObject({ debtorName: 'K& Söhne', line: 5 });
});

test('an entry without the bank’s reference is known by its own and the statement', () => {
  expect(of({ entryReference: 'N1' }, {}).map(({ reference }) => reference)).toEqual(['S-1/N1', null]);
});

test('the status, direction and reversal of an entry are read in every form', () => {
  expect(of({ status: 'PDNG' }, { direction: 'DBIT' }, { isReversal: true })).toMatchObject([
    { status: 'PDNG', isCredit: true },
    { status: 'BOOK', isCredit: false },
    { isReversal: true },
  ]);
});

test.each<[string, string, RegExp]>([
  ['no XML', 'date;amount', /^bank\.xml:1: is no XML/],
  ['half a file', camt053([PAYMENT]).slice(0, 600), /^bank\.xml:\d+: is no XML/],
  ['an empty file', '', /^bank\.xml:1: is no XML/],
  ['a notification', camt053([]).replaceAll('camt.053', 'camt.054'), /got camt\.054\.001\.08/],
  ['another document', '<Document><FIToFICstmrCdtTrf/></Document>', /expected a bank statement camt\.053/],
  ['a DOCTYPE', `<!DOCTYPE x [<!ENTITY a "b">]>${camt053([])}`, /DOCTYPE/],
  [
    'a rare encoding',
    `<?xml version="1.0" encoding="EBCDIC-US"?>${camt053([])}`,
    /bank\.xml:1: is in EBCDIC-US: convert/,
  ],
])('%s is refused', (_, xml, message) => {
  expect(() => read(xml)).toThrow(ConfigError);
  expect(() => read(xml)).toThrow(message);
});

describe('the sponsor of a payment', () => {
  const payers = {
    invoices: new Map([
      ['INV-7', 'chatter'],
      ['INV-8', 'lumen'],
    ]),
    accounts: new Map([['GB82WEST12345698765432', 'parley']]),
    sponsorIds: new Set(['chatter', 'lumen', 'parley']),
  };
  test.each<[string, Entry, string | null, string]>([
    ['a document number', { document: 'inv-7' }, 'chatter', 'invoice INV-7'],
    ['an invoice in words', { text: 'Rechnung INV-8, danke' }, 'lumen', 'invoice INV-8'],
    ['an invoice, from any account', { text: 'INV-8', iban: 'GB82WEST12345698765432' }, 'lumen', 'invoice INV-8'],
    ['the account', { iban: 'GB82WEST12345698765432', text: 'thanks' }, 'parley', 'debtor account'],
    ['the id', { text: 'top up Chatter.' }, 'chatter', 'sponsor id'],
    ['a part of a word', { text: 'chatterbox' }, null, 'names no invoice'],
    ['invoices of two', { text: 'INV-7 INV-8' }, null, 'several sponsors: chatter, lumen'],
    [
      'an id and another’s account',
      { iban: 'GB82WEST12345698765432', text: 'lumen' },
      null,
      'several sponsors: parley, lumen',
    ],
    ['nothing', {}, null, 'names no invoice'],
  ])('by %s', (_, entry, sponsorId, by) => {
    const match = matchPayment(of(entry)[0], payers);
    expect(match.sponsorId).toBe(sponsorId);
    expect(match.sponsorId === null ? match.why : match.by).toContain(by);
  });
});
