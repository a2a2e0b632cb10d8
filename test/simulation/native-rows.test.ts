import { expect, test } from 'vitest';
import { nativeRows } from './native-rows.ts';

/** A block as ClickHouse writes it, byte by byte. */
const BLOCK = Buffer.concat([
  Buffer.from([7, 2]),
  column('n', 'Int8', [0xff, 0x02]),
  column('d', 'UInt16', [0x01, 0x02, 0xff, 0xff]),
  column('t', "DateTime64(3, 'UTC')", [...le(-5n), ...le(1_700_000_000_000n)]),
  column('f', 'FixedString(2)', [1, 2, 3, 4]),
  column('s', 'String', [2, 0xc3, 0xa9, 0]),
  column('l', 'LowCardinality(String)', [...le(1n), ...le(0x600n), ...le(2n), ...[1, 97, 0], ...le(2n), ...[1, 0]]),
  column('a', 'Array(Tuple(row UInt32, name String))', [
    ...le(0n),
    ...le(2n),
    ...[7, 0, 0, 0, 8, 0, 0, 0],
    ...[1, 120, 1, 121],
  ]),
]);

test('every type that a journal block has is read', () => {
  const rows = nativeRows(BLOCK).map((row) => ({ ...row, f: [...(row.f as Uint8Array)] }));
  expect(rows).toEqual([
    { n: -1, d: 0x0201, t: -5, f: [1, 2], s: 'é', l: '', a: [] },
    {
      n: 2,
      d: 0xffff,
      t: 1_700_000_000_000,
      f: [3, 4],
      s: '',
      l: 'a',
      a: [
        { row: 7, name: 'x' },
        { row: 8, name: 'y' },
      ],
    },
  ]);
});

test('a truncated block, one with trailing bytes, or one of another type is refused', () => {
  expect(() => nativeRows(BLOCK.subarray(0, -1))).toThrow(RangeError);
  expect(() => nativeRows(Buffer.concat([BLOCK, Buffer.from([0])]))).toThrow('bytes after its last column');
  expect(() => nativeRows(Buffer.concat([Buffer.from([1, 1]), column('x', 'Float64', le(0n))]))).toThrow('Float64');
  expect(() => nativeRows(Buffer.concat([Buffer.from([1, 1]), column('x', 'UInt64', le(2n ** 60n))]))).toThrow('exact');
});

function column(name: string, type: string, octets: number[]): Buffer {
  return Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([type.length]),
    Buffer.from(type),
    Buffer.from(octets),
  ]);
}

function le(value: bigint): number[] {
  const octets = Buffer.alloc(8);
  octets.writeBigInt64LE(value);
  return [...octets];
}
