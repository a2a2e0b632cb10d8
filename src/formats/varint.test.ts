import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { varintEnd, varintOf, varintValue, varUintOctets, varUintValue, writeVarint, writeVarUint } from './varint.ts';

const type = avro.Type.forSchema('long');
/** avsc holds longs to 2^53 - 2. */
const MAX = Number.MAX_SAFE_INTEGER - 1;
const edges = Array.from({ length: 54 }, (_, bits) => 2 ** bits).flatMap((value) => [value - 1, value]);
const anyNumber = fc.oneof(
  fc.integer({ min: 0, max: MAX }),
  fc.nat(),
  fc.constantFrom(...edges.filter((value) => value <= MAX)),
);

test('writes what avsc writes, at every length, and reads it', () => {
  fc.assert(
    fc.property(anyNumber, (value) => {
      const out = Buffer.alloc(12);
      const end = writeVarint(out, 1, value);
      expect(out.subarray(1, end)).toEqual(type.toBuffer(value));
      expect(varintOf(BigInt(value))).toEqual(type.toBuffer(value));
      expect(varintEnd(out, 1)).toBe(end);
      expect(varintValue(out, 1, end)).toBe(value);
    }),
    { numRuns: 1000 },
  );
});

test('an unsigned integer has its seven lowest bits first', () => {
  const octets = (value: number) => {
    const out = Buffer.alloc(10);
    return [...out.subarray(0, writeVarUint(out, 0, value))];
  };
  expect(octets(0)).toEqual([0]);
  expect(octets(127)).toEqual([127]);
  expect(octets(128)).toEqual([0x80, 1]);
  expect(octets(2 ** 28)).toEqual([0x80, 0x80, 0x80, 0x80, 1]);
  fc.assert(
    fc.property(anyNumber, (value) => {
      const out = Buffer.alloc(10);
      const end = writeVarUint(out, 0, value);
      expect(varUintOctets(value)).toBe(end);
      expect(varintEnd(out, 0)).toBe(end);
      expect(varUintValue(out, 0, end)).toBe(value);
    }),
    { numRuns: 1000 },
  );
});

test('negative numbers are short', () => {
  expect([...varintOf(-1n)]).toEqual([1]);
  expect(varintOf(-(2n ** 63n))).toHaveLength(10);
  expect(varintValue(varintOf(-(2n ** 40n)), 0, 6)).toBe(-(2 ** 40));
});

test('one that is cut off has no end, nor one of eleven octets', () => {
  expect(varintEnd(Buffer.from([0x80, 0x80]), 0)).toBe(-1);
  expect(varintEnd(Buffer.alloc(11, 0x80), 0)).toBe(-1);
  expect(varintEnd(Buffer.from([]), 0)).toBe(-1);
});
