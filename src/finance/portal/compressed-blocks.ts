import { compress } from 'lz4-napi';

const LZ4 = 0x82;
const HEADER_BYTES = 9;
/** lz4-napi writes the length before a block. */
const PREFIX_BYTES = 4;
const BLOCK_BYTES = 65_536;

/** Compresses an answer in the blocks of ClickHouse's native protocol, as its HTTP interface does for `compress=1`. */
export async function* compressedBlocks(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const part of bytes) {
    for (let at = 0; at < part.length; at += BLOCK_BYTES) yield compressedBlock(part.subarray(at, at + BLOCK_BYTES));
  }
}

async function compressedBlock(bytes: Buffer): Promise<Buffer> {
  const data = (await compress(bytes)).subarray(PREFIX_BYTES);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(LZ4, 0);
  header.writeUInt32LE(HEADER_BYTES + data.length, 1);
  header.writeUInt32LE(bytes.length, 5);
  const block = Buffer.concat([header, data]);
  return Buffer.concat([cityHash128(block), block]);
}

const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const K3 = 0xc949d7c7509e6557n;
const K_MUL = 0x9ddfea08eb382d69n;

type Pair = readonly [low: bigint, high: bigint];

/**
 * Returns Google's CityHash128 of version 1.0.2, which ClickHouse writes before each compressed block: the lower eight bytes first.
 * `bytes` are at least eight, which a block's header alone exceeds.
 */
function cityHash128(bytes: Buffer): Buffer {
  const { length } = bytes;
  const [low, high] =
    length >= 16
      ? hashWithSeed(bytes.subarray(16), [word(bytes, 0) ^ K3, word(bytes, 8)])
      : murmur(Buffer.alloc(0), [word(bytes, 0) ^ wrapped(BigInt(length) * K0), word(bytes, length - 8) ^ K1]);
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64LE(low, 0);
  hash.writeBigUInt64LE(high, 8);
  return hash;
}

function hashWithSeed(bytes: Buffer, seed: Pair): Pair {
  const { length } = bytes;
  if (length < 128) return murmur(bytes, seed);
  let [x, y] = seed;
  let z = wrapped(K1 * BigInt(length));
  const v0 = wrapped(rotated(y ^ K1, 49n) * K1 + word(bytes, 0));
  let v: Pair = [v0, wrapped(rotated(v0, 42n) * K1 + word(bytes, 8))];
  let w: Pair = [
    wrapped(rotated(wrapped(y + z), 35n) * K1 + x),
    wrapped(rotated(wrapped(x + word(bytes, 88)), 53n) * K1),
  ];
  const halves = Math.floor(length / 128) * 2;
  for (let half = 0, at = 0; half < halves; half++, at += 64) {
    const nextX = wrapped(rotated(wrapped(x + y + v[0] + word(bytes, at + 16)), 37n) * K1) ^ w[1];
    const nextY = wrapped(rotated(wrapped(y + v[1] + word(bytes, at + 48)), 42n) * K1) ^ v[0];
    const nextZ = rotated(z ^ w[0], 33n);
    v = weak(bytes, at, wrapped(v[1] * K1), wrapped(nextX + w[0]));
    w = weak(bytes, at + 32, wrapped(nextZ + w[1]), nextY);
    [x, y, z] = [nextZ, nextY, nextX];
  }
  y = wrapped(y + rotated(w[0], 37n) * K0 + z);
  x = wrapped(x + rotated(wrapped(v[0] + z), 49n) * K0);
  const rest = length % 128;
  for (let done = 32; done < rest + 32; done += 32) {
    const at = length - done;
    y = wrapped(rotated(wrapped(y - x), 42n) * K0 + v[1]);
    const w0 = wrapped(w[0] + word(bytes, at + 16));
    x = wrapped(rotated(x, 49n) * K0 + w0);
    w = [wrapped(w0 + v[0]), w[1]];
    v = weak(bytes, at, v[0], v[1]);
  }
  x = mixed(x, v[0]);
  y = mixed(y, w[0]);
  return [wrapped(mixed(wrapped(x + v[1]), w[1]) + y), mixed(wrapped(x + w[1]), wrapped(y + v[1]))];
}

/** Hashes fewer than 128 bytes. */
function murmur(bytes: Buffer, [seedA, seedB]: Pair): Pair {
  const { length } = bytes;
  let [a, b, c, d] = [seedA, seedB, 0n, 0n];
  if (length <= 16) {
    a = wrapped(shifted(wrapped(a * K1)) * K1);
    c = wrapped(b * K1 + short(bytes));
    d = shifted(wrapped(a + (length >= 8 ? word(bytes, 0) : c)));
  } else {
    c = mixed(wrapped(word(bytes, length - 8) + K1), a);
    d = mixed(wrapped(b + BigInt(length)), wrapped(c + word(bytes, length - 16)));
    a = wrapped(a + d);
    for (let at = 0; at < length - 16; at += 16) {
      a = wrapped((a ^ wrapped(shifted(wrapped(word(bytes, at) * K1)) * K1)) * K1);
      b ^= a;
      c = wrapped((c ^ wrapped(shifted(wrapped(word(bytes, at + 8) * K1)) * K1)) * K1);
      d ^= c;
    }
  }
  a = mixed(a, c);
  b = mixed(d, b);
  return [a ^ b, mixed(b, a)];
}

/** Hashes at most 16 bytes. */
function short(bytes: Buffer): bigint {
  const { length } = bytes;
  if (length > 8) {
    const b = word(bytes, length - 8);
    return mixed(word(bytes, 0), rotated(wrapped(b + BigInt(length)), BigInt(length))) ^ b;
  }
  if (length >= 4) {
    const [first, last] = [bytes.readUInt32LE(0), bytes.readUInt32LE(length - 4)].map(BigInt);
    return mixed(wrapped((first << 3n) + BigInt(length)), last);
  }
  if (length === 0) return K2;
  const y = BigInt(bytes[0] + (bytes[length >> 1] << 8));
  const z = BigInt(length + (bytes[length - 1] << 2));
  return wrapped(shifted(wrapped(y * K2) ^ wrapped(z * K3)) * K2);
}

function weak(bytes: Buffer, at: number, seedA: bigint, seedB: bigint): Pair {
  const last = word(bytes, at + 24);
  const first = wrapped(seedA + word(bytes, at));
  const b = rotated(wrapped(seedB + first + last), 21n);
  const a = wrapped(first + word(bytes, at + 8) + word(bytes, at + 16));
  return [wrapped(a + last), wrapped(b + rotated(a, 44n) + first)];
}

function mixed(u: bigint, v: bigint): bigint {
  const a = shifted(wrapped((u ^ v) * K_MUL));
  return wrapped(shifted(wrapped((v ^ a) * K_MUL)) * K_MUL);
}

function shifted(value: bigint): bigint {
  return value ^ (value >> 47n);
}

function rotated(value: bigint, bits: bigint): bigint {
  return (value >> bits) | BigInt.asUintN(64, value << (64n - bits));
}

function wrapped(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function word(bytes: Buffer, at: number): bigint {
  return bytes.readBigUInt64LE(at);
}
