import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Decompress as ZstdStream } from 'fzstd';
import kafkajs from 'kafkajs';
import { decompressFrame } from 'lz4-napi';
import { uncompress } from 'snappy';
import { varintEnd, varUintValue } from '../../formats/varint.ts';
import { RecordBatchError } from './record-batch-error.ts';

/** The codec that the lowest three bits of a record batch's attributes name (KIP-98, KIP-110). */
const CODEC_MASK = 0x07;
export const codecOf = (attributes: number): number => attributes & CODEC_MASK;

type DecompressRecords = (octets: Buffer, limitBytes: number) => Promise<Buffer>;

const CODECS: readonly { name: string; decompress: DecompressRecords }[] = [
  { name: 'none', decompress: async (octets) => octets },
  { name: 'gzip', decompress: gunzipped },
  { name: 'snappy', decompress: unsnapped },
  { name: 'lz4', decompress: unframedLz4 },
  { name: 'zstd', decompress: unframedZstd },
];
const UNASSIGNED_CODECS = [5, 6, 7];
const READABLE = 'gzip, snappy, lz4 and zstd can be read';

/** A batch of the brokers' default size, 1 MiB, compressed to less than a hundredth. */
let maxBatchBytes = 128 * 2 ** 20;

/**
 * Lets every kafkajs consumer of this process read snappy, lz4 and zstd besides gzip, none of them to more than
 * `limitBytes` a record batch where that is given, and makes it refuse codecs that Kafka has not assigned, which kafkajs
 * would take for no compression.
 */
export function readAllCodecs(limitBytes?: number): void {
  if (limitBytes !== undefined) maxBatchBytes = limitBytes;
  const codecs = kafkajs.CompressionCodecs as Record<number, () => { compress: unknown; decompress: unknown }>;
  const { GZIP } = kafkajs.CompressionTypes;
  const { compress } = codecs[GZIP]();
  for (const codec of [...CODECS.keys(), ...UNASSIGNED_CODECS]) {
    if (codec === 0) continue;
    const decompress = (octets: Buffer) => decompressRecords(codec, octets);
    codecs[codec] = () => ({ compress: codec === GZIP ? compress : refuseToCompress, decompress });
  }
}

/** The records of a batch, decompressed. Rejects with a RecordBatchError that says why they cannot be. */
export async function decompressRecords(codec: number, octets: Buffer): Promise<Buffer> {
  const { name, decompress } = CODECS[codec] ?? {};
  if (decompress === undefined) {
    throw new RecordBatchError(
      'codec_unknown',
      `is compressed with codec ${codec}, which this version does not know (${READABLE}): ` +
        'upgrade zerorate, or write the topic with one of them (compression.type)',
    );
  }
  try {
    return await decompress(octets, maxBatchBytes);
  } catch (cause) {
    if (cause instanceof RecordBatchError) throw cause;
    throw new RecordBatchError(
      'batch_damaged',
      `cannot be decompressed with codec ${codec} (${name}): its octets are damaged; restore the partition from a ` +
        'replica, or delete the records up to the batch’s end and accept the gap',
      { cause },
    );
  }
}

async function refuseToCompress(): Promise<never> {
  throw new Error('zerorate compresses with gzip only');
}

function checkLimit(octets: number, limitBytes: number): void {
  if (octets <= limitBytes) return;
  throw new RecordBatchError(
    'batch_too_large',
    `has more than ${limitBytes} bytes when it is decompressed: raise source.kafka.maxBatchBytes if its producer is ` +
      'trusted',
  );
}

const unzipped = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

async function gunzipped(octets: Buffer, limitBytes: number): Promise<Buffer> {
  return unzipped(octets, { maxOutputLength: limitBytes }).catch((error: NodeJS.ErrnoException) => {
    checkLimit(error.code === 'ERR_BUFFER_TOO_LARGE' ? limitBytes + 1 : 0, limitBytes);
    throw error;
  });
}

/** Magic, version and compatible version: what xerial's snappy-java, which Kafka's own client uses, writes before its blocks. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_OCTETS = 16;

/** Blocks of snappy-java, or one plain block, as other clients write. */
async function unsnapped(octets: Buffer, limitBytes: number): Promise<Buffer> {
  const blocks = XERIAL_MAGIC.equals(octets.subarray(0, XERIAL_MAGIC.length)) ? xerialBlocks(octets) : [octets];
  checkLimit(
    blocks.reduce((sum, block) => sum + snappyLength(block), 0),
    limitBytes,
  );
  const parts: Buffer[] = [];
  for (const block of blocks) parts.push((await uncompress(block)) as Buffer);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

function xerialBlocks(octets: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_OCTETS; at < octets.length; ) {
    const start = at + 4;
    at = start + octets.readUInt32BE(at);
    if (at > octets.length) throw new RangeError('a block is cut short');
    blocks.push(octets.subarray(start, at));
  }
  return blocks;
}

/** The length that a block says it has, before its data. Throws a RangeError at one that does not end. */
function snappyLength(block: Buffer): number {
  const end = varintEnd(block, 0);
  if (end === -1) throw new RangeError('a block has no length');
  return varUintValue(block, 0, end);
}

const LZ4_MAGIC = 0x184d2204;
/** An lz4 block of n octets holds at most about 255 n. */
const LZ4_RATIO = 255;

async function unframedLz4(octets: Buffer, limitBytes: number): Promise<Buffer> {
  checkLimit(lz4Bound(octets), limitBytes);
  return decompressFrame(octets);
}

/** The most octets that a frame's blocks can hold; close to what they do hold, as all but the last are full. */
function lz4Bound(octets: Buffer): number {
  if (octets.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError('no lz4 frame');
  const flags = octets.readUInt8(4);
  const maxBlockOctets = 2 ** (8 + 2 * ((octets.readUInt8(5) >>> 4) & 0x07));
  const [hasLength, hasDictionary, hasChecksums] = [flags & 0x08, flags & 0x01, flags & 0x10];
  let at = 7 + (hasLength ? 8 : 0) + (hasDictionary ? 4 : 0);
  for (let bound = 0; ; ) {
    const size = octets.readUInt32LE(at);
    if (size === 0) return bound;
    const stored = size & 0x7fffffff;
    bound += size === stored ? Math.min(maxBlockOctets, stored * LZ4_RATIO) : stored;
    at += 4 + stored + (hasChecksums ? 4 : 0);
  }
}

const ZSTD_MAGIC = 0xfd2fb528;

/** Block after block, as Kafka's frames do not say how long they are. */
async function unframedZstd(octets: Buffer, limitBytes: number): Promise<Buffer> {
  checkLimit(zstdClaim(octets), limitBytes);
  const parts: Uint8Array[] = [];
  let length = 0;
  let isWhole = false;
  const stream = new ZstdStream((part, isLast) => {
    length += part.length;
    checkLimit(length, limitBytes);
    parts.push(part);
    isWhole = isLast === true;
  });
  stream.push(octets, true);
  if (!isWhole) throw new RangeError('the frame is cut short');
  return Buffer.concat(parts, length);
}

/** What the decompressor would reserve for a frame: its window, or its whole length where the header has that. */
function zstdClaim(octets: Buffer): number {
  if (octets.readUInt32LE(0) !== ZSTD_MAGIC) throw new RangeError('no zstd frame');
  const descriptor = octets.readUInt8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const window = isSingle ? 0 : octets.readUInt8(5);
  const windowOctets = isSingle ? 0 : 2 ** (10 + (window >>> 3)) * (1 + (window & 7) / 8);
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const lengthOf = [
    () => (isSingle ? octets.readUInt8(at) : 0),
    () => octets.readUInt16LE(at) + 256,
    () => octets.readUInt32LE(at),
    () => Number(octets.readBigUInt64LE(at)),
  ][descriptor >>> 6];
  return Math.max(windowOctets, lengthOf());
}
