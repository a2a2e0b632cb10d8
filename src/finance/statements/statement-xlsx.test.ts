import readExcelFile from 'read-excel-file/node';
import { expect, test, vi } from 'vitest';
import { TEST_INVOICE, testStatement, testTerms } from './statement.fixture.ts';
import { statementXlsx } from './statement-xlsx.ts';

async function sheetsOf(statement = testStatement()) {
  const sheets = await readExcelFile(Buffer.from(await statementXlsx(statement)));
  return new Map(sheets.map(({ sheet, data }) => [sheet, data]));
}

test('every sheet is there, and its numbers are numbers', async () => {
  const sheets = await sheetsOf();
  expect([...sheets.keys()]).toEqual(['Summary', 'Lines', 'Days', 'Entries', 'Completeness']);
  const summary = new Map(sheets.get('Summary')?.map(([name, value]) => [name, value]));
  expect(summary.get('Total')).toBe(10.5);
  expect(summary.get('Total before rounding')).toBe(10.500006);
  expect(summary.get('Records')).toBe(1241);
  expect(summary.get('Closing balance')).toBe(7.5);
  expect(summary.get('Amount due')).toBe(0);
  expect(summary.get('Paid ahead, and other entries')).toBe(-10.5);
  expect(summary.get('Merkle root')).toBe(testStatement().proof.merkleRoot);
});

test('an invoice has its number, dates, parties and amounts in the summary', async () => {
  const sheets = await sheetsOf(testStatement({ invoice: TEST_INVOICE, openingMicros: -26_000_000n }));
  const summary = new Map(sheets.get('Summary')?.map(([name, value]) => [name, value]));
  expect(summary.get('Invoice number')).toBe('ZR-000017');
  expect(summary.get('Due')).toBe('2026-12-02');
  expect(summary.get('Tax')).toBe(2);
  expect(summary.get('Amount due')).toBe(12.5);
  expect(summary.get('Seller')).toBe('Example Mobile GmbH, DE123456789, Hauptstr. 1, 10115, Berlin, DE');
});

test('lines add up to the total before rounding', async () => {
  const [header, ...rows] = (await sheetsOf()).get('Lines') ?? [];
  expect(header.at(-1)).toBe('Amount');
  const sum = rows.pop();
  const amounts = rows.map((row) => Math.round(Number(row.at(-1)) * 1_000_000));
  expect(amounts.reduce((total, amount) => total + amount, 0)).toBe(10_500_006);
  expect(sum?.[0]).toBe('Sum');
  expect(sum?.at(-1)).toBe(10.500006);
});

test('monthly terms are in the summary and among the lines', async () => {
  const sheets = await sheetsOf(testStatement({ monthlyTerms: testTerms(10_500_006n) }));
  const summary = new Map(sheets.get('Summary')?.map(([name, value]) => [name, value]));
  expect(summary.get('Flat fee')).toBe(5);
  expect(summary.get('Volume rebate')).toBe(-0.2625);
  expect(summary.get('Shortfall to the minimum commitment')).toBe(39.762494);
  expect(summary.get('Total')).toBe(55);
  const lines = sheets.get('Lines') ?? [];
  expect(lines.slice(-4, -1).map((row) => [row[1], row[5], row.at(-1)])).toEqual([
    ['flat-fee', 'chatter-2026 version 2', 5],
    ['volume-rebate', 'chatter-2026 version 2', -0.2625],
    ['shortfall', 'chatter-2026 version 2', 39.762494],
  ]);
  expect(lines.at(-1)?.at(-1)).toBe(55);
});

test('days and instants are dates, and what looks like a formula is text', async () => {
  const sheets = await sheetsOf();
  expect(sheets.get('Days')?.[1]).toEqual([new Date('2026-10-01T00:00:00Z'), 5_242_880, 1_048_576, 10.000003]);
  expect(sheets.get('Entries')?.[1]).toEqual([
    9,
    'payment',
    new Date('2026-10-07T08:09:10Z'),
    25,
    '=1+1, "transfer"',
    'Ada',
  ]);
});

test('an empty month is a workbook, too', async () => {
  const nothing = { lines: [], corrections: [], entries: [], byDay: [], byApplication: [], byContentType: [] };
  expect((await sheetsOf(testStatement(nothing))).get('Days')).toHaveLength(1);
});

test('the workbook has the same bytes at any time of writing', async () => {
  const first = await statementXlsx(testStatement());
  vi.useFakeTimers({ now: Date.UTC(2031, 5, 7), toFake: ['Date'] });
  const later = await statementXlsx(testStatement()).finally(() => vi.useRealTimers());
  expect(Buffer.compare(first, later)).toBe(0);
});
