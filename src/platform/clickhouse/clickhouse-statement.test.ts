import { expect, test } from 'vitest';
import { formatOf, hasSecondStatement, splitBody } from './clickhouse-statement.ts';

test.each([
  ['SELECT 1', null],
  ['SELECT 1 FORMAT Native', 'Native'],
  ['SELECT 1\nformat JSONEachRow;\n', 'JSONEachRow'],
  ['SELECT format FROM t', null],
])('the format of %j is %j', (sql, format) => {
  expect(formatOf(sql)).toBe(format);
});

test.each([
  ['SELECT 1', false],
  ['SELECT 1;\n', false],
  ['SELECT \';\', "a;b", `c;d` -- e; f\n/* g; h */', false],
  ["INSERT INTO t VALUES ('it''s; fine', 'it\\'s; fine')", false],
  ['SELECT 1; SELECT 2', true],
  ["SELECT 'a'; DROP TABLE t", true],
])('a second statement in %j: %j', (sql, second) => {
  expect(hasSecondStatement(sql)).toBe(second);
});

test('binary data after the statement in a body keeps its bytes', () => {
  const data = Buffer.from([0xff, 0x00, 0x0a, 0xfe]);
  const body = Buffer.concat([Buffer.from("INSERT INTO `é` SELECT x FROM input('x String') FORMAT Native\n"), data]);
  expect(splitBody(body)).toEqual({
    sql: "INSERT INTO `é` SELECT x FROM input('x String') FORMAT Native\n",
    data,
  });
  expect(splitBody(Buffer.from('SELECT 1')).data).toHaveLength(0);
});
