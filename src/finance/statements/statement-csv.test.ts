import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { TEST_INVOICE, testStatement, testTerms } from './statement.fixture.ts';
import { statementCsv } from './statement-csv.ts';

test('the amounts of all rows make the amount due', () => {
  const statement = testStatement({ invoice: TEST_INVOICE, openingMicros: -26_000_000n });
  const rows: Record<string, string>[] = parse(statementCsv(statement), { columns: true });
  expect(rows.map(({ kind, part, amount }) => [kind, part, amount])).toEqual([
    ['charge', 'tier', '10.000000'],
    ['charge', 'rounding', '0.000003'],
    ['adjustment', 'tier', '2.000000'],
    ['adjustment', 'rounding', '0.000003'],
    ['correction', '4 new prices', '-1.500000'],
    ['rounding', 'total', '-0.000006'],
    ['tax', 'S 19%', '2.000000'],
  ]);
  const micros = rows.reduce((sum, row) => sum + BigInt(row.amount_micros), 0n);
  expect(micros).toBe(statement.due?.amountDueMicros);
  expect(statement.due?.amountDue).toBe('12.50');
  expect(rows[0]).toEqual({
    sponsor_id: 'chatter',
    month: '2026-10',
    usage_month: '2026-10',
    kind: 'charge',
    application_id: 'chat',
    plan_id: 'chat-monthly',
    plan_version: '1',
    part: 'tier',
    from_octets: '0',
    to_octets: '',
    price_per_mib: '2.000000',
    octets: '5242880',
    amount: '10.000000',
    amount_micros: '10000000',
    currency: 'USD',
  });
});

test('monthly terms have a row for each amount, and all rows still make the amount due', () => {
  const statement = testStatement({ openingMicros: 0n, entries: [], monthlyTerms: testTerms(10_500_006n) });
  const rows: Record<string, string>[] = parse(statementCsv(statement), { columns: true });
  const ofTerms = rows.filter(({ part }) => part === 'chatter-2026 version 2');
  expect(ofTerms.map(({ usage_month, kind, amount }) => [usage_month, kind, amount])).toEqual([
    ['2026-10', 'flat-fee', '5.000000'],
    ['2026-10', 'volume-rebate', '-0.262500'],
    ['2026-10', 'shortfall', '39.762494'],
  ]);
  expect(rows.reduce((sum, row) => sum + BigInt(row.amount_micros), 0n)).toBe(statement.due?.amountDueMicros);
  expect(statement.due?.amountDue).toBe('55.00');
});

test('a name with a comma, a quote or a line end is quoted', () => {
  const [correction] = testStatement().corrections;
  const statement = testStatement({ corrections: [{ ...correction, name: 'a, "b"\nc' }] });
  const rows: Record<string, string>[] = parse(statementCsv(statement), { columns: true });
  expect(rows.find(({ kind }) => kind === 'correction')?.part).toBe('4 a, "b"\nc');
});

test('a prepayment is a row; a month that was closed without rounding has none of these rows', () => {
  const paidAhead: Record<string, string>[] = parse(statementCsv(testStatement()), { columns: true });
  expect(paidAhead.at(-1)).toMatchObject({ kind: 'account', amount: '-10.500000' });
  expect(paidAhead.reduce((sum, row) => sum + BigInt(row.amount_micros), 0n)).toBe(0n);
  const before: Record<string, string>[] = parse(statementCsv(testStatement({ due: null })), { columns: true });
  expect(before.reduce((sum, row) => sum + BigInt(row.amount_micros), 0n)).toBe(testStatement().totals.totalMicros);
});
