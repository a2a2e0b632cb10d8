import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeOfRevision } from './native-revision.ts';

/** What clickhouse-go names. */
const REVISION = 54_460;
const BLOCK_INFO = [1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0];

let directory: string;
let session: Session;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-native-'));
  session = new Session(directory);
});
afterAll(async () => {
  session?.close();
  await rm(directory, { recursive: true });
});

async function native(sql: string): Promise<Buffer> {
  return Buffer.from((await session.queryAsync(sql, { format: 'Native' })).bytes());
}

describe('a column of every type is walked along to its end', () => {
  test.each([
    'toUInt8(number)',
    "'text ' || toString(number)",
    "toFixedString('ab', 2)",
    'toNullable(number)',
    "if(number = 1, NULL, 'x')",
    'toLowCardinality(toString(number))',
    "toLowCardinality(if(number = 1, NULL, 'x'))",
    '[number, number + 1]',
    'emptyArrayString()',
    'range(number)',
    'arrayMap(x -> toLowCardinality(toString(x)), range(number))',
    "map('a', number, 'b', 1)",
    "map(toLowCardinality('a'), [toString(number)])",
    "tuple(number, 'x', toLowCardinality('y'))",
    "CAST((number, 'x'), 'Tuple(id UInt32, `a name` String)')",
    "[(number, 'x')]",
    'toDate(number)',
    "toDateTime64(number, 3, 'UTC')",
    "CAST('tag+ip', 'Enum8(\\'none\\' = 0, \\'tag+ip\\' = 3)')",
    'toDecimal64(number, 6)',
    'toDecimal256(number, 6)',
    'generateUUIDv4()',
    "toIPv6('::1')",
    'toInt128(number)',
    'number > 1',
    'number / 3',
    'INTERVAL number DAY',
    'toNullable(toDecimal32(number, 2))',
    'NULL',
    '[]',
  ])('%s', async (expression) => {
    // Whoever loses the way in the first column does not find the second one.
    const blocks = await native(`SELECT ${expression} AS first, 'last' AS second FROM numbers(3)`);
    const turned = Buffer.from(nativeOfRevision(blocks, REVISION));
    expect([...turned.subarray(0, 8)]).toEqual(BLOCK_INFO);
    // A head, and an octet for each of the two columns.
    expect(turned.length).toBe(blocks.length + 8 + 2);
    expect(turned.subarray(-15)).toEqual(blocks.subarray(-15));
    const name = Buffer.from('\x06second\x06String\x00');
    expect(turned.includes(name)).toBe(true);
  });
});

test('every block has its head', async () => {
  const blocks = await native('SELECT number FROM numbers(5) SETTINGS max_block_size = 2');
  const turned = Buffer.from(nativeOfRevision(blocks, REVISION));
  const heads = turned.toString('latin1').split(Buffer.from(BLOCK_INFO).toString('latin1')).length - 1;
  expect(heads).toBeGreaterThan(1);
  expect(turned.length).toBe(blocks.length + heads * (8 + 1));
});

test('an answer without rows has its columns', async () => {
  const blocks = await native('SELECT number FROM numbers(0)');
  expect(nativeOfRevision(blocks, REVISION).length).toBe(blocks.length === 0 ? 0 : blocks.length + 9);
});

test('older clients have no octet for the kind of serialization, and those without a version nothing', async () => {
  const blocks = await native("SELECT 1 AS a, 'x' AS b");
  expect(nativeOfRevision(blocks, 54_405).length).toBe(blocks.length + 8);
  expect(nativeOfRevision(blocks, 0)).toBe(blocks);
});

test('a type that is not known here is named', async () => {
  const blocks = await native("SELECT '{}'::JSON AS a");
  expect(() => nativeOfRevision(blocks, REVISION)).toThrow(/type JSON.*\(NOT_IMPLEMENTED\)/);
});
