import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeOfRevision } from './native-revision.ts';

/** The revision of clickhouse-go. */
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

/** In parts of a few bytes, as the engine may write them. */
async function* parts(bytes: Buffer, length = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function revised(bytes: Buffer, revision: number): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of nativeOfRevision(parts(bytes), revision)) blocks.push(block);
  return Buffer.concat(blocks);
}

describe('a column of every type is skipped to its end', () => {
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
    // A reader that miscounts the first column does not find the second one.
    const blocks = await native(`SELECT ${expression} AS first, 'last' AS second FROM numbers(3)`);
    const turned = await revised(blocks, REVISION);
    expect([...turned.subarray(0, 8)]).toEqual(BLOCK_INFO);
    // A head, and an byte for each of the two columns.
    expect(turned.length).toBe(blocks.length + 8 + 2);
    expect(turned.subarray(-15)).toEqual(blocks.subarray(-15));
    const name = Buffer.from('\x06second\x06String\x00');
    expect(turned.includes(name)).toBe(true);
  });
});

test('every block has its head', async () => {
  const blocks = await native('SELECT number FROM numbers(5) SETTINGS max_block_size = 2');
  const turned = await revised(blocks, REVISION);
  const heads = turned.toString('latin1').split(Buffer.from(BLOCK_INFO).toString('latin1')).length - 1;
  expect(heads).toBeGreaterThan(1);
  expect(turned.length).toBe(blocks.length + heads * (8 + 1));
});

test('an answer without rows has its columns', async () => {
  const blocks = await native('SELECT number FROM numbers(0)');
  expect((await revised(blocks, REVISION)).length).toBe(blocks.length === 0 ? 0 : blocks.length + 9);
});

test('older clients have no byte for the kind of serialization', async () => {
  const blocks = await native("SELECT 1 AS a, 'x' AS b");
  expect((await revised(blocks, 54_405)).length).toBe(blocks.length + 8);
});

test('an unsupported type is named', async () => {
  const blocks = await native("SELECT '{}'::JSON AS a");
  await expect(revised(blocks, REVISION)).rejects.toThrow(/type JSON.*\(NOT_IMPLEMENTED\)/);
});

test('blocks that end too early are an error, not a shorter answer', async () => {
  const blocks = await native('SELECT number, toString(number) FROM numbers(100)');
  await expect(revised(blocks.subarray(0, -1), REVISION)).rejects.toThrow(/CANNOT_READ_ALL_DATA/);
});
