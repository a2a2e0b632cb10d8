import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { murmur2 } from './quota-records.ts';

const partitions = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }));

test('a key of any length goes where the default partitioner of kafkajs puts it', () => {
  const default_ = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 100 }), (octets, count) => {
      const request = {
        topic: 't',
        partitionMetadata: partitions(count),
        message: { key: Buffer.from(octets), value: null },
      };
      expect((murmur2(octets) & 0x7fffffff) % count).toBe(default_(request));
    }),
    { numRuns: 2000 },
  );
});

// UtilsTest.testMurmur2 of Apache Kafka.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('the hash of %s is what the Java client says', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});
