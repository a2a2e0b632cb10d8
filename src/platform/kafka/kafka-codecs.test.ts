import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { compressFrameSync } from 'lz4-napi';
import { compressSync } from 'snappy';
import { afterEach, expect, test } from 'vitest';
import { decompressRecords, readAllCodecs } from './kafka-codecs.ts';

const [GZIP, SNAPPY, LZ4, ZSTD] = [1, 2, 3, 4];
const LIMIT = 128 * 2 ** 20;

afterEach(() => readAllCodecs(LIMIT));

/** As snappy-java's stream writes it: a header, then blocks with their sizes. */
function xerial(octets: Buffer, blockOctets: number): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex')];
  for (let at = 0; at < octets.length; at += blockOctets) {
    const block = compressSync(octets.subarray(at, at + blockOctets));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}

/** A zstd frame of raw blocks: a window descriptor, and no length, as Kafka writes them. */
function zstdStored(octets: Buffer): Buffer {
  const blockOctets = 2 ** 16;
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  for (let at = 0; at === 0 || at < octets.length; at += blockOctets) {
    const block = octets.subarray(at, at + blockOctets);
    const isLast = at + blockOctets >= octets.length;
    const header = Buffer.alloc(4);
    header.writeUInt32LE((block.length << 3) | (isLast ? 1 : 0));
    parts.push(header.subarray(0, 3), block);
  }
  return Buffer.concat(parts);
}

/** One octet, repeated, in a block of four octets. */
function zstdRepeated(octets: number): Buffer {
  const block = Buffer.alloc(4);
  block.writeUInt32LE((octets << 3) | 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), block.subarray(0, 3), Buffer.from([7])]);
}

const octets = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 900 }))
  .map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part)));

test.each([
  ['gzip', GZIP, (plain: Buffer) => gzipSync(plain)],
  ['snappy in blocks of snappy-java', SNAPPY, (plain: Buffer) => xerial(plain, 32_768)],
  ['snappy in one block', SNAPPY, (plain: Buffer) => compressSync(plain)],
  ['lz4', LZ4, (plain: Buffer) => compressFrameSync(plain)],
  [
    'lz4 with checksums',
    LZ4,
    (plain: Buffer) => compressFrameSync(plain, { contentChecksum: true, blockChecksums: true }),
  ],
  ['zstd', ZSTD, zstdStored],
])('%s gives back what was compressed, and refuses what is cut short', async (_, codec, compress) => {
  await fc.assert(
    fc.asyncProperty(octets, fc.nat(), async (plain, cut) => {
      const compressed = compress(plain);
      expect(plain.equals(await decompressRecords(codec, compressed))).toBe(true);
      const part = compressed.subarray(0, cut % compressed.length);
      const whole = await decompressRecords(codec, part).catch((error) => {
        expect(error).toMatchObject({ code: 'batch_damaged' });
        return plain;
      });
      // Of lz4 the end is a checksum only; of snappy-java every block is an end.
      expect(plain.subarray(0, whole.length).equals(whole)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['gzip', GZIP, gzipSync(Buffer.alloc(2 ** 20))],
  ['snappy', SNAPPY, compressSync(Buffer.alloc(2 ** 20))],
  ['snappy-java', SNAPPY, xerial(Buffer.alloc(2 ** 20), 32_768)],
  ['snappy that claims 4 GiB', SNAPPY, Buffer.from('ffffffff0f00', 'hex')],
  ['lz4', LZ4, compressFrameSync(Buffer.alloc(2 ** 20))],
  ['zstd', ZSTD, zstdRepeated(100_000)],
  ['zstd that claims 2^60 octets', ZSTD, Buffer.from('28b52ffde00000000000000010010000', 'hex')],
  ['zstd with a window of 2^41 octets', ZSTD, Buffer.from('28b52ffd00f8010000', 'hex')],
])('%s: no more than the limit, and the error names the key', async (_, codec, compressed) => {
  readAllCodecs(2 ** 16);
  await expect(decompressRecords(codec, compressed)).rejects.toMatchObject({
    code: 'batch_too_large',
    message: expect.stringMatching(/more than 65536 bytes .* source\.kafka\.maxBatchBytes/),
  });
});

test('a codec of no name is refused, in the consumers of kafkajs too', async () => {
  readAllCodecs();
  for (const codec of [5, 6, 7]) {
    const refusal = { code: 'codec_unknown', message: expect.stringContaining(`codec ${codec}`) };
    await expect(decompressRecords(codec, Buffer.from('abc'))).rejects.toMatchObject(refusal);
    const { decompress } = (kafkajs.CompressionCodecs as Record<number, () => { decompress: (o: Buffer) => unknown }>)[
      codec
    ]();
    await expect(decompress(Buffer.from('abc'))).rejects.toMatchObject(refusal);
  }
});
