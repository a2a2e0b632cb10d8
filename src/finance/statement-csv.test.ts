import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import { testStatement } from './statement.fixture.ts';
import { statementCsv } from './statement-csv.ts';

test('the amounts of the lines make the total before rounding', () => {
  const statement = testStatement();
  const rows: Record<string, string>[] = parse(statementCsv(statement), { columns: true });
  expect(rows.map(({ kind, part, amount }) => [kind, part, amount])).toEqual([
    ['charge', 'tier', '10.000000'],
    ['charge', 'rounding', '0.000003'],
    ['adjustment', 'tier', '2.000000'],
    ['adjustment', 'rounding', '0.000003'],
    ['correction', '4 new prices', '-1.500000'],
  ]);
  const micros = rows.reduce((sum, row) => sum + BigInt(row.amount_micros), 0n);
  expect(micros).toBe(statement.totals.totalMicros);
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

test('a name with a comma, a quote or a line end is quoted', () => {
  const [correction] = testStatement().corrections;
  const statement = testStatement({ corrections: [{ ...correction, name: 'a, "b"\nc' }] });
  const rows: Record<string, string>[] = parse(statementCsv(statement), { columns: true });
  expect(rows.at(-1)?.part).toBe('4 a, "b"\nc');
});
