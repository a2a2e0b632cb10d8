import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { TEST_INVOICE, testLine, testStatement, testTerms, testTier } from './statement.fixture.ts';
import { statementFocus } from './statement-focus.ts';

type Row = Record<string, string>;

function micros(decimal: string): bigint {
  const [units, decimals] = decimal.split('.');
  return BigInt(units + decimals.padEnd(6, '0'));
}

const rowsOf = (statement = testStatement()): Row[] => parse(statementFocus(statement), { columns: true });
const billed = (rows: readonly Row[]) => rows.reduce((sum, { BilledCost }) => sum + micros(BilledCost), 0n);

test.each([
  ['an invoice', testStatement({ invoice: TEST_INVOICE, openingMicros: -26_000_000n }), '12.50'],
  ['a prepaid one', testStatement({ invoice: TEST_INVOICE }), '0.00'],
  [
    'one of a currency with four decimals',
    testStatement({
      sponsor: { id: 'c', name: 'C', currency: 'CLF', minorDigits: 4 },
      entries: [],
      openingMicros: 0n,
      lines: [testLine({ tiers: [testTier(1_234_567n, 3_210_987n)] })],
      corrections: [],
    }),
    '3.7805',
  ],
])('BilledCost of %s adds up to the amount due', (_, statement, amountDue) => {
  const rows = rowsOf(statement);
  expect(billed(rows)).toBe(statement.due?.amountDueMicros);
  expect(statement.due?.amountDue).toBe(amountDue);
});

test('a flat fee is a purchase, a rebate a credit, and a shortfall an adjustment; they add up', () => {
  const statement = testStatement({
    invoice: TEST_INVOICE,
    openingMicros: 0n,
    entries: [],
    monthlyTerms: testTerms(10_500_006n),
  });
  const rows = rowsOf(statement);
  expect(billed(rows)).toBe(statement.due?.amountDueMicros);
  expect(statement.due?.amountDue).toBe('65.45');
  const ofTerms = rows.filter(({ ChargeDescription }) => ChargeDescription.includes('chatter-2026 version 2'));
  expect(ofTerms).toMatchObject([
    { ChargeCategory: 'Purchase', BilledCost: '5.000000', ChargeFrequency: 'Recurring', ListUnitPrice: '5.000000' },
    { ChargeCategory: 'Credit', BilledCost: '-0.262500', ChargeFrequency: 'One-Time' },
    { ChargeCategory: 'Adjustment', BilledCost: '39.762494', ChargeFrequency: 'One-Time' },
  ]);
});

test('usage has its price and quantities, and every other row has its kind', () => {
  const rows = rowsOf(testStatement({ invoice: TEST_INVOICE, openingMicros: -26_000_000n }));
  expect(rows.map(({ ChargeCategory, BilledCost }) => [ChargeCategory, BilledCost])).toEqual([
    ['Usage', '10.000000'],
    ['Adjustment', '0.000003'],
    ['Usage', '2.000000'],
    ['Adjustment', '0.000003'],
    ['Adjustment', '-1.500000'],
    ['Adjustment', '-0.000006'],
    ['Tax', '2.000000'],
  ]);
  expect(rows[0]).toMatchObject({
    BillingAccountId: 'chatter',
    BillingCurrency: 'USD',
    BillingPeriodStart: '2026-10-01T00:00:00Z',
    BillingPeriodEnd: '2026-11-01T00:00:00Z',
    ChargePeriodStart: '2026-10-01T00:00:00Z',
    ConsumedQuantity: '5242880',
    ConsumedUnit: 'B',
    InvoiceId: 'ZR-000017',
    ListUnitPrice: '2.000000',
    PricingQuantity: '5',
    PricingUnit: 'MiB',
    ProviderName: 'Example Mobile GmbH',
    SkuId: 'chat-monthly',
  });
  expect(rows[2]).toMatchObject({
    ChargePeriodStart: '2026-09-01T00:00:00Z',
    BillingPeriodStart: '2026-10-01T00:00:00Z',
  });
  expect(rows[4].ChargeClass).toBe('Correction');
});

test('a quantity in MiB is exact', () => {
  const [row] = rowsOf(testStatement({ lines: [testLine({ tiers: [testTier(1n, 1n)] })] }));
  expect(row.PricingQuantity).toBe('0.00000095367431640625');
});

test('of a month that was closed without rounding it is the total before it', () => {
  expect(billed(rowsOf(testStatement({ due: null })))).toBe(testStatement().totals.totalMicros);
});
