import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf, int64Words, strings } from '../platform/clickhouse/native-block.ts';
import { readRowBinary } from './row-binary.ts';

const row = fc.record({
  count: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  name: fc.string({ maxLength: 200 }),
});

test('rows come out whole, wherever the stream was cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row), fc.integer({ min: 1, max: 50 }), async (rows, chunkOctets) => {
      const bytes = Buffer.concat(rows.flatMap(({ count, name }) => [bytesOf(int64Words([count])), strings([name])]));
      const chunks = Array.from({ length: Math.ceil(bytes.length / chunkOctets) }, (_, index) =>
        bytes.subarray(index * chunkOctets, (index + 1) * chunkOctets),
      );
      const read = [];
      const fields = readRowBinary(Readable.from(chunks), (reader) => ({
        count: reader.uint64(),
        name: reader.text(),
      }));
      for await (const value of fields) read.push(value);
      expect(read).toEqual(rows.map(({ count, name }) => ({ count, name: Buffer.from(name).toString() })));
    }),
  );
});

test('a result that ends in the middle of a row is a fault', async () => {
  const torn = readRowBinary(Readable.from([Buffer.from([1, 2, 3])]), (reader) => reader.uint64());
  await expect(async () => {
    for await (const _ of torn);
  }).rejects.toThrow('3 octets of a torn row');
});
