import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { validateUbl } from '../../../test/servers/validate-ubl.ts';
import { testStatement as plainStatement, TEST_INVOICE, testLine, testTerms, testTier } from './statement.fixture.ts';
import type { Statement } from './statement-document.ts';
import { statementUbl } from './statement-ubl.ts';

type Buyer = (typeof TEST_INVOICE)['buyer'];

const LIMIT_MS = 600_000;
const testStatement = (of: Parameters<typeof plainStatement>[0] = {}) =>
  plainStatement({ invoice: TEST_INVOICE, ...of });
const taxed = (tax: Buyer['tax'], more: Partial<Buyer> = {}) => ({
  invoice: { ...TEST_INVOICE, buyer: { ...TEST_INVOICE.buyer, tax, ...more } },
});
const currency = (code: string, minorDigits: number): Partial<Statement> => ({
  sponsor: { id: 'chatter', name: 'Chatter', currency: code, minorDigits },
});
/** Lines whose net amounts, rounded one by one, differ from their rounded sum. */
const manyLines = Array.from({ length: 7 }, (_, at) =>
  testLine({ planId: `plan-${at}`, tiers: [testTier(524_288n * 3n, 10_000n), testTier(1_234_567n, 3_210_987n)] }),
);
const without = { lines: [], corrections: [] };

const CASES: Record<string, Statement> = {
  standard: testStatement(),
  zero: testStatement(taxed({ category: 'Z' })),
  exempt: testStatement(taxed({ category: 'E', exemptionReason: 'Exempt under Art. 135' })),
  reverse: testStatement(taxed({ category: 'AE', exemptionReason: 'Reverse charge' })),
  outside: testStatement(taxed({ category: 'O', exemptionReason: 'Outside the scope of tax' })),
  'outside, no vat number': testStatement(
    taxed({ category: 'O', exemptionReason: 'Outside' }, { taxId: '12-3456789', companyId: undefined }),
  ),
  decimals: testStatement({ ...taxed({ category: 'S', rate: '8.875' }), lines: manyLines }),
  yen: testStatement({ ...currency('JPY', 0), lines: manyLines }),
  'rounding up': testStatement({ lines: manyLines.slice(0, 3), corrections: [] }),
  'nothing charged': testStatement(without),
  'monthly terms': testStatement({ lines: manyLines, monthlyTerms: testTerms(27_500_123n) }),
  'terms alone': testStatement({ ...without, monthlyTerms: testTerms(0n, 0n) }),
  'a rebate taken back': testStatement({ lines: [], monthlyTerms: testTerms(-1_500_000n) }),
  'terms in yen': testStatement({ ...currency('JPY', 0), lines: manyLines, monthlyTerms: testTerms(27_500_123n) }),
  'terms outside of tax': testStatement({
    ...taxed({ category: 'O', exemptionReason: 'Outside the scope of tax' }),
    monthlyTerms: testTerms(10_500_006n),
  }),
  'below 0': testStatement({ lines: [], openingMicros: 100_000_000n }),
  unpaid: testStatement({ lines: manyLines, entries: [], openingMicros: -100_000_000n }),
  'other entries': testStatement({ lines: manyLines, entries: [], openingMicros: 0n }),
};
/**
 * EN 16931 knows two decimals. For a currency with more, only the rules about decimals and those that round to two before
 * they add fail.
 */
const FINE: Record<string, Statement> = {
  dinar: testStatement({ ...currency('KWD', 3), lines: manyLines }),
  unidad: testStatement({ ...currency('CLF', 4), lines: manyLines }),
};

test(
  'invoices are valid UBL 2.1, and satisfy the rules of EN 16931',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'zerorate-ubl-'));
    const broken = statementUbl(testStatement()).replace(/(<cbc:PayableAmount[^>]*>)[^<]*/, '$10.07');
    const documents = Object.entries({ ...CASES, ...FINE }).map(([name, statement]) => [name, statementUbl(statement)]);
    const files = [...documents, ['broken', broken], ['no invoice', '<x/>']];
    try {
      const path = (name: string) => join(directory, `${name.replaceAll(/\W/g, '-')}.xml`);
      for (const [name, text] of files) await writeFile(path(name), text);
      const found = await validateUbl(files.map(([name]) => path(name)));
      for (const name of Object.keys(CASES)) expect(found.get(path(name)), name).toEqual([]);
      for (const name of Object.keys(FINE)) {
        const faults = found.get(path(name)) ?? [];
        expect(faults.length, name).toBeGreaterThan(0);
        for (const fault of faults)
          expect(fault, name).toMatch(/^(fatal_)?error: \[(BR-DEC-\d+|UBL-DT-01|BR-CO-1[0-7]|BR-S-0[89])\]/);
      }
      // A validator that checks nothing would find nothing here either.
      expect(found.get(path('broken'))?.join()).toContain('BR-CO-16');
      expect(found.get(path('no invoice'))?.length).toBeGreaterThan(0);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
  LIMIT_MS,
);

test('amounts add up exactly, whatever the currency’s decimals', () => {
  for (const [name, statement] of Object.entries({ ...CASES, ...FINE })) {
    const xml = statementUbl(statement);
    const { minorDigits } = statement.sponsor;
    const unit = 10n ** BigInt(6 - minorDigits);
    const all = (element: string) =>
      [...xml.matchAll(new RegExp(`<cbc:${element}[^>]*>([^<]*)<`, 'g'))].map(([, text]) => text);
    const one = (element: string) => micros(all(element)[0] ?? '0');
    const [totalNet, ...nets] = all('LineExtensionAmount').map(micros);
    const exclusive = totalNet - one('AllowanceTotalAmount') + one('ChargeTotalAmount');
    expect(
      nets.reduce((sum, net) => sum + net, 0n),
      name,
    ).toBe(totalNet);
    expect(one('TaxExclusiveAmount'), name).toBe(exclusive);
    expect(one('TaxInclusiveAmount'), name).toBe(exclusive + one('TaxAmount'));
    expect(one('PayableAmount'), name).toBe(one('TaxInclusiveAmount') - one('PrepaidAmount'));
    expect(one('PayableAmount'), name).toBe(statement.due?.amountDueMicros);
    for (const [at, net] of nets.entries()) {
      const numerator = BigInt(all('InvoicedQuantity')[at]) * micros(all('PriceAmount')[at]);
      const base = BigInt(all('BaseQuantity')[at]) * unit;
      const [magnitude, sign] = numerator < 0n ? [-numerator, -1n] : [numerator, 1n];
      expect(net, name).toBe(((magnitude * 2n + base) / (base * 2n)) * unit * sign);
    }
    for (const text of all('PayableAmount')) expect(text.split('.')[1]?.length ?? 0, name).toBe(minorDigits);
  }
});

test('a statement that is no invoice is refused, with what to do', () => {
  expect(() => statementUbl(plainStatement())).toThrow(/2026-10: the statement is no invoice: it was closed without/);
  const draft = { ...TEST_INVOICE, number: null, issueDate: null, dueDate: null };
  const open = testStatement({ invoice: draft, isClosed: false, closing: null });
  expect(() => statementUbl(open)).toThrow(/is open, so its invoice has no number yet; close the month first/);
});

function micros(decimal: string): bigint {
  const [units, decimals = ''] = decimal.split('.');
  return BigInt(units + decimals.padEnd(6, '0'));
}
