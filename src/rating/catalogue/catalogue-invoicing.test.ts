import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { catalogueFromCanonicalJson, parseCatalogue } from './catalogue-compile.ts';
import { isVatId } from './catalogue-invoicing.ts';

const GOOD = `sponsors:
  - id: s
    name: S
    currency: EUR
    creditLimit: "10"
    buyer:
      legalName: Buyer
      taxId: FR12345678901
      address: { street: 2 rue X, city: Paris, country: FR }
      tax: { category: S, rate: "19" }
applications: []
plans: []
invoicing:
  seller:
    legalName: Seller
    taxId: DE123456789
    address: { street: Hauptstr. 1, city: Berlin, country: DE }
  numbers: ZR-{number}
  termsDays: 30
`;
const PLAIN = 'sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "10" }]\napplications: []\nplans: []\n';

function faultsWith(piece: string, replacement: string): string[] {
  const text = GOOD.replace(piece, replacement);
  expect(text).not.toBe(GOOD);
  return (parseCatalogue(text, 'c.yaml').faults ?? []).map(formatFault);
}

test('seller, buyer and terms are in the catalogue, and in its canonical text', () => {
  const { catalogue, faults } = parseCatalogue(GOOD, 'c.yaml');
  expect(faults).toBeUndefined();
  expect(catalogue?.invoicing).toMatchObject({ numbers: 'ZR-{number}', termsDays: 30 });
  expect(catalogue?.sponsors[0].buyer?.tax).toEqual({ category: 'S', rate: '19' });
  expect(catalogueFromCanonicalJson(catalogue?.canonicalJson ?? '').sponsors).toEqual(catalogue?.sponsors);
});

test('a catalogue without them has nothing of them in its hash', () => {
  const { catalogue } = parseCatalogue(PLAIN, 'c.yaml');
  expect(catalogue?.canonicalJson).toBe(
    '{"applications":[],"plans":[],"sponsors":[{"creditLimit":"10","currency":"EUR","id":"s","minorDigits":2,"name":"S"}]}',
  );
  expect(catalogue).not.toHaveProperty('invoicing');
});

test.each([
  ['a rate that S lacks', 'category: S, rate: "19"', 'category: S', /category S needs a rate above 0/],
  ['a rate of 0', 'rate: "19"', 'rate: "0.0"', /category S needs a rate above 0/],
  ['a rate of all', 'rate: "19"', 'rate: "100"', /expected a percentage in quotes, below 100/],
  ['a rate that is a number', 'rate: "19"', 'rate: 19', /rate/],
  ['a rate where none is', 'category: S, rate: "19"', 'category: Z, rate: "5"', /category Z has no rate/],
  ['no reason to charge none', 'category: S, rate: "19"', 'category: AE', /category AE needs a reason/],
  [
    'a reason where tax is charged',
    'rate: "19"',
    'rate: "19", exemptionReason: x',
    /category S has no exemption reason/,
  ],
  ['an unknown category', 'category: S', 'category: B', /category/],
  ['a country in words', 'country: FR', 'country: France', /the two letters of ISO 3166-1/],
  ['a number form without a number', 'ZR-{number}', 'ZR-2026', /and \{number\} at its end/],
  ['a number form that continues behind it', 'ZR-{number}', 'ZR-{number}-A', /and \{number\} at its end/],
  ['a name of two lines', 'legalName: Buyer', 'legalName: "a\\nb"', /expected one line of text/],
  ['a blank name', 'legalName: Buyer', 'legalName: " "', /a text that is not blank/],
  ['terms below 0', 'termsDays: 30', 'termsDays: -1', /termsDays/],
  [
    'a seller without a VAT number',
    '    taxId: DE123456789\n',
    '',
    /category S needs a VAT number for `invoicing.seller.taxId`/,
  ],
  [
    'no company of the seller',
    'category: S, rate: "19"',
    'category: O, exemptionReason: x',
    /category O needs `invoicing.seller.companyId`/,
  ],
  ['a buyer without a seller', GOOD.slice(GOOD.indexOf('invoicing:')), '', /a buyer needs the seller: add `invoicing`/],
] as const)('%s is refused', (_, piece, replacement, message) => {
  expect(faultsWith(piece, replacement).join('\n')).toMatch(message);
});

test('reverse charge needs an identifier of the buyer', () => {
  const text = GOOD.replace('      taxId: FR12345678901\n', '').replace(
    'category: S, rate: "19"',
    'category: AE, exemptionReason: Reverse charge',
  );
  expect((parseCatalogue(text, 'c.yaml').faults ?? []).map(formatFault).join()).toMatch(
    /category AE needs the buyer’s taxId or companyId/,
  );
});

test.each([
  ['DE123456789', true],
  ['ATU12345678', true],
  ['EL123456789', true],
  ['12-3456789', false],
  ['T1234567890123', false],
  ['DE', false],
  [undefined, false],
])('%s is a VAT number: %s', (taxId, isOne) => {
  expect(isVatId(taxId)).toBe(isOne);
});
