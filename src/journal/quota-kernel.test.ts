import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { RECORDS_START } from '../platform/kafka/patches/patch-encoded-records.ts';
import { fuzzing, isBuiltFromSources } from '../rating/kernel/kernel.fixture.ts';
import { loadKernel } from '../rating/kernel/load-kernel.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import {
  BATCH_BYTES,
  BATCH_OCTETS,
  BATCH_OF,
  BATCH_PLACE,
  BATCHES,
  COPY_OCTETS,
  HEAD,
  HEAD_BYTES,
  HEADS,
  OFFSET,
  REMAINING,
  SUBSCRIBER,
  THRESHOLD,
  USED,
  VALUE_OCTETS,
} from './quota-kernel/quota-regions.ts';
import {
  type Division,
  type PartitionRecords,
  QuotaKernel,
  type QuotaKernelExports,
  type QuotaUpdateParts,
  quotaUpdateParts,
} from './quota-records.ts';
import {
  anyQuotaUpdate,
  partitionMetadata,
  QUOTA_UPDATE_SCHEMA,
  quotaUpdate,
  quotaUpdates,
} from './quota-update.fixture.ts';

const partsOf = quotaUpdateParts(QUOTA_UPDATE_SCHEMA, 7);

interface Raw {
  exports: QuotaKernelExports;
  kernel: QuotaKernel;
}

function rawKernel(): Raw {
  const exports = loadKernel<QuotaKernelExports>('#quota-kernel');
  return { exports, kernel: new QuotaKernel(exports) };
}

function encode({ kernel }: Raw, list: QuotaUpdate[], division: Division) {
  const updates = quotaUpdates(list);
  return recordsOf(kernel.encode(updates, 0, list.length, updates.heads.map(partsOf), division));
}

/** Without the room for the batches' headers, which nothing has written yet. */
function recordsOf(requests: PartitionRecords[][]) {
  return requests.map((batches) =>
    batches.map(({ partition, count, batch }) => `${partition} ${count} ${batch.toString('hex', RECORDS_START)}`),
  );
}

/** Where the kernel and its caller may have written: [from, to), by address. */
function writtenOf(memory: Uint8Array, rows: number, heads: QuotaUpdateParts[], batches: number, partitions: number) {
  const room = ({ length }: Uint8Array) => Math.ceil(length / COPY_OCTETS) * COPY_OCTETS + COPY_OCTETS;
  const spans: [from: number, to: number][] = [
    [SUBSCRIBER, SUBSCRIBER + rows * 16],
    [USED, USED + rows * 8],
    [REMAINING, REMAINING + rows * 8],
    [OFFSET, OFFSET + rows * 8],
    [HEAD, HEAD + rows * 4],
    [THRESHOLD, THRESHOLD + rows * 2],
    [VALUE_OCTETS, VALUE_OCTETS + rows * 4],
    [BATCH_OF, BATCH_OF + rows * 4],
    [BATCHES, BATCHES + batches * BATCH_BYTES],
    [HEADS, HEADS + heads.length * HEAD_BYTES],
  ];
  let place = HEADS + heads.length * HEAD_BYTES;
  for (const { key, value, afterUse } of heads) {
    for (const part of [key, value, afterUse]) {
      spans.push([place, place + part.length]);
      place += room(part);
    }
  }
  spans.push([place, Math.ceil((place + partitions * 4) / COPY_OCTETS) * COPY_OCTETS]);
  const view = new DataView(memory.buffer);
  for (let number = 0; number < batches; number++) {
    const at = BATCHES + number * BATCH_BYTES;
    const start = view.getUint32(at + BATCH_PLACE, true);
    spans.push([start, start + view.getUint32(at + BATCH_OCTETS, true) + COPY_OCTETS]);
  }
  return spans.sort(([a], [b]) => a - b);
}

/** The first octet outside of the spans that is not the canary; -1 if there is none. */
function firstTouched(memory: Uint8Array, spans: [number, number][], canary: number): number {
  let from = SUBSCRIBER;
  for (const [start, end] of [...spans, [memory.length, memory.length]]) {
    expect(start).toBeGreaterThanOrEqual(from);
    const gap = memory.subarray(from, start);
    const expected = Buffer.alloc(gap.length, canary);
    if (!expected.equals(gap)) return from + gap.findIndex((octet) => octet !== canary);
    from = end;
  }
  return -1;
}

test('the kernel writes nothing but its rows and batches, and no result depends on what was in memory: canaries', () => {
  const raw = rawKernel();
  let several = 0;
  fc.assert(
    fc.property(
      fc.array(anyQuotaUpdate, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.nat(255),
      (list, partitions, maxOctets, canary) => {
        const division = { partitions, maxOctets };
        const heads = quotaUpdates(list).heads.map(partsOf);
        // The memory is then as large as the call needs.
        encode(raw, list, division);
        const size = raw.exports.memory.buffer.byteLength;
        const outcomes = [canary, canary ^ 0xff].map((filling) => {
          const memory = new Uint8Array(raw.exports.memory.buffer);
          const constants = memory.slice(0, SUBSCRIBER);
          memory.fill(filling, SUBSCRIBER);
          const requests = encode(raw, list, division);
          const batches = requests.flat().length;
          const spans = writtenOf(memory, list.length, heads, batches, partitions);
          expect(firstTouched(memory, spans, filling)).toBe(-1);
          expect(Buffer.compare(memory.subarray(0, SUBSCRIBER), constants)).toBe(0);
          if (batches > 1) several++;
          return requests;
        });
        expect(outcomes[1]).toEqual(outcomes[0]);
        expect(raw.exports.memory.buffer.byteLength).toBe(size);
      },
    ),
    fuzzing(),
  );
  expect(several).toBeGreaterThan(10);
});

test('an update of a head that is none is a trap', () => {
  const raw = rawKernel();
  const updates = quotaUpdates([quotaUpdate(), quotaUpdate()]);
  const division = { partitions: 1, maxOctets: 1000 };
  for (const head of [2, 2 ** 32 - 1]) {
    updates.head[1] = head;
    expect(() => raw.kernel.encode(updates, 0, 2, updates.heads.map(partsOf), division)).toThrow('unreachable');
  }
});

test('memory grows to what the largest call needs, and is used again', () => {
  const raw = rawKernel();
  const list = Array.from({ length: 20_000 }, (_, offset) => quotaUpdate({ offset }));
  const updates = quotaUpdates(list);
  updates.head.fill(0);
  const heads = [partsOf(updates.heads[0])];
  const division = { partitions: 4, maxOctets: 900_000 };
  const requests = raw.kernel.encode(updates, 0, list.length, heads, division);
  const octets = requests.flat().reduce((sum, { batch }) => sum + batch.length, 0);
  const size = raw.exports.memory.buffer.byteLength;
  expect(size).toBeLessThan(HEADS + octets + 2 * 65_536);
  for (let round = 0; round < 3; round++) {
    expect(recordsOf(raw.kernel.encode(updates, 0, list.length, heads, division))).toEqual(recordsOf(requests));
  }
  expect(raw.exports.memory.buffer.byteLength).toBe(size);
});

function murmur2(key: Uint8Array): number {
  const { exports } = rawKernel();
  new Uint8Array(exports.memory.buffer).set(key, SUBSCRIBER);
  return exports.murmur2(SUBSCRIBER, key.length);
}

test('a key of any length goes where the default partitioner of kafkajs puts it', () => {
  const partitionOf = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 100 }), (octets, count) => {
      const message = { key: Buffer.from(octets), value: null };
      const expected = partitionOf({ topic: 't', partitionMetadata: partitionMetadata(count), message });
      expect((murmur2(octets) & 0x7fffffff) % count).toBe(expected);
    }),
    fuzzing(),
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

test('the code in the package is that of the sources', () => {
  expect(isBuiltFromSources('#quota-kernel', 'src/journal/quota-kernel'), 'run npm run build').toBe(true);
});
