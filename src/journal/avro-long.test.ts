import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { longOctets, writeLong } from './quota-records.ts';

const type = avro.Type.forSchema('long');
/** avsc holds longs to 2^53 - 2. */
const MAX = Number.MAX_SAFE_INTEGER - 1;

test('writes what avsc writes, at every length', () => {
  const edges = Array.from({ length: 54 }, (_, bits) => 2 ** bits).flatMap((value) => [value - 1, value]);
  const edge = fc.constantFrom(...edges.filter((value) => value <= MAX));
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: 0, max: MAX }), fc.nat(), edge), (value) => {
      const out = Buffer.alloc(12);
      const end = writeLong(out, 1, value);
      expect(out.subarray(1, end)).toEqual(type.toBuffer(value));
      expect(longOctets(value)).toBe(end - 1);
    }),
    { numRuns: 1000 },
  );
});
