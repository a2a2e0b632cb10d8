import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { amountDueOf } from '../accounts/amount-due.ts';
import { exactUnits, roundedUnits } from '../shown-money.ts';
import { catalogueOf } from './finance.fixture.ts';
import { agreedIn, billTerms } from './monthly-terms.ts';

const PAGE = readFileSync(packagePath('docs/finance/fees.md'), 'utf8');
const [, TERMS] = /^```yaml\n([\s\S]*?)^```$/m.exec(PAGE) ?? [];
const ROWS = new Map(
  [...PAGE.matchAll(/^\| ([a-z ]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$/gm)].map(([, name, ...cells]) => [
    name,
    cells,
  ]),
);
const microsOf = (text: string) => BigInt(text.replace('.', ''));

describe('the worked example of docs/finance/fees.md', () => {
  test.each([
    ['2026-10', 'all_charges'],
    ['2026-11', 'all_charges'],
    ['2026-11', 'charges_in_band'],
  ])('%s, %s', (month, appliesTo) => {
    const column = month === '2026-10' ? 0 : appliesTo === 'all_charges' ? 1 : 2;
    const cell = (name: string) => ROWS.get(name)?.[column];
    const { monthlyTerms = [] } = catalogueOf(`
sponsors: [{ id: chatter, name: Chatter, currency: EUR, creditLimit: "0" }]
applications: []
plans: []
${TERMS.replace('appliesTo: all_charges', `appliesTo: ${appliesTo}`)}`);
    const chargeMicros = microsOf(cell('charges') ?? '');
    const [terms] = billTerms(agreedIn(monthlyTerms, 'chatter', month), () => ({
      sponsoredOctets: BigInt(cell('sponsored octets') ?? ''),
      chargeMicros,
    }));
    const totalMicros = chargeMicros + terms.amountMicros;
    const account = { openingMicros: 0n, creditMicros: 0n, paidMicros: 0n, minorDigits: 2, taxRate: '19' };
    const due = amountDueOf({ ...account, totalMicros });
    expect({
      'volume rebate': exactUnits(terms.rebateMicros),
      'counts towards the commitment': exactUnits(terms.countedMicros),
      shortfall: exactUnits(terms.shortfallMicros),
      'flat fee': exactUnits(terms.flatFeeMicros),
      total: exactUnits(totalMicros),
      'taxable amount': roundedUnits(due.taxableMicros, 2),
      tax: roundedUnits(due.taxMicros, 2),
      'amount due': roundedUnits(due.amountDueMicros, 2),
    }).toEqual(Object.fromEntries([...ROWS.keys()].slice(2).map((name) => [name, cell(name)])));
  });
});
