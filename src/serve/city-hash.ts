const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const K3 = 0xc949d7c7509e6557n;
const K_MUL = 0x9ddfea08eb382d69n;

type Pair = readonly [low: bigint, high: bigint];

/**
 * Returns Google's CityHash128 of version 1.0.2, which ClickHouse writes before each compressed block: the lower eight octets first.
 * `octets` are at least eight, which a block's header alone exceeds.
 */
export function cityHash128(octets: Buffer): Buffer {
  const { length } = octets;
  const [low, high] =
    length >= 16
      ? hashWithSeed(octets.subarray(16), [word(octets, 0) ^ K3, word(octets, 8)])
      : murmur(Buffer.alloc(0), [word(octets, 0) ^ wrapped(BigInt(length) * K0), word(octets, length - 8) ^ K1]);
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64LE(low, 0);
  hash.writeBigUInt64LE(high, 8);
  return hash;
}

function hashWithSeed(octets: Buffer, seed: Pair): Pair {
  const { length } = octets;
  if (length < 128) return murmur(octets, seed);
  let [x, y] = seed;
  let z = wrapped(K1 * BigInt(length));
  const v0 = wrapped(rotated(y ^ K1, 49n) * K1 + word(octets, 0));
  let v: Pair = [v0, wrapped(rotated(v0, 42n) * K1 + word(octets, 8))];
  let w: Pair = [
    wrapped(rotated(wrapped(y + z), 35n) * K1 + x),
    wrapped(rotated(wrapped(x + word(octets, 88)), 53n) * K1),
  ];
  const halves = Math.floor(length / 128) * 2;
  for (let half = 0, at = 0; half < halves; half++, at += 64) {
    const nextX = wrapped(rotated(wrapped(x + y + v[0] + word(octets, at + 16)), 37n) * K1) ^ w[1];
    const nextY = wrapped(rotated(wrapped(y + v[1] + word(octets, at + 48)), 42n) * K1) ^ v[0];
    const nextZ = rotated(z ^ w[0], 33n);
    v = weak(octets, at, wrapped(v[1] * K1), wrapped(nextX + w[0]));
    w = weak(octets, at + 32, wrapped(nextZ + w[1]), nextY);
    [x, y, z] = [nextZ, nextY, nextX];
  }
  y = wrapped(y + rotated(w[0], 37n) * K0 + z);
  x = wrapped(x + rotated(wrapped(v[0] + z), 49n) * K0);
  const rest = length % 128;
  for (let done = 32; done < rest + 32; done += 32) {
    const at = length - done;
    y = wrapped(rotated(wrapped(y - x), 42n) * K0 + v[1]);
    const w0 = wrapped(w[0] + word(octets, at + 16));
    x = wrapped(rotated(x, 49n) * K0 + w0);
    w = [wrapped(w0 + v[0]), w[1]];
    v = weak(octets, at, v[0], v[1]);
  }
  x = mixed(x, v[0]);
  y = mixed(y, w[0]);
  return [wrapped(mixed(wrapped(x + v[1]), w[1]) + y), mixed(wrapped(x + w[1]), wrapped(y + v[1]))];
}

/** For fewer than 128 octets. */
function murmur(octets: Buffer, [seedA, seedB]: Pair): Pair {
  const { length } = octets;
  let [a, b, c, d] = [seedA, seedB, 0n, 0n];
  if (length <= 16) {
    a = wrapped(shifted(wrapped(a * K1)) * K1);
    c = wrapped(b * K1 + short(octets));
    d = shifted(wrapped(a + (length >= 8 ? word(octets, 0) : c)));
  } else {
    c = mixed(wrapped(word(octets, length - 8) + K1), a);
    d = mixed(wrapped(b + BigInt(length)), wrapped(c + word(octets, length - 16)));
    a = wrapped(a + d);
    for (let at = 0; at < length - 16; at += 16) {
      a = wrapped((a ^ wrapped(shifted(wrapped(word(octets, at) * K1)) * K1)) * K1);
      b ^= a;
      c = wrapped((c ^ wrapped(shifted(wrapped(word(octets, at + 8) * K1)) * K1)) * K1);
      d ^= c;
    }
  }
  a = mixed(a, c);
  b = mixed(d, b);
  return [a ^ b, mixed(b, a)];
}

/** For 16 octets at most. */
function short(octets: Buffer): bigint {
  const { length } = octets;
  if (length > 8) {
    const b = word(octets, length - 8);
    return mixed(word(octets, 0), rotated(wrapped(b + BigInt(length)), BigInt(length))) ^ b;
  }
  if (length >= 4) {
    const [first, last] = [octets.readUInt32LE(0), octets.readUInt32LE(length - 4)].map(BigInt);
    return mixed(wrapped((first << 3n) + BigInt(length)), last);
  }
  if (length === 0) return K2;
  const y = BigInt(octets[0] + (octets[length >> 1] << 8));
  const z = BigInt(length + (octets[length - 1] << 2));
  return wrapped(shifted(wrapped(y * K2) ^ wrapped(z * K3)) * K2);
}

function weak(octets: Buffer, at: number, seedA: bigint, seedB: bigint): Pair {
  const last = word(octets, at + 24);
  const first = wrapped(seedA + word(octets, at));
  const b = rotated(wrapped(seedB + first + last), 21n);
  const a = wrapped(first + word(octets, at + 8) + word(octets, at + 16));
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

function word(octets: Buffer, at: number): bigint {
  return octets.readBigUInt64LE(at);
}
