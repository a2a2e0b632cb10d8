import { compress } from 'lz4-napi';
import { cityHash128 } from './city-hash.ts';

const LZ4 = 0x82;
const HEADER_OCTETS = 9;
/** lz4-napi writes the length before a block. */
const PREFIX_OCTETS = 4;
const BLOCK_OCTETS = 65_536;

/** Compresses an answer in the blocks of ClickHouse's native protocol, as its HTTP interface does for `compress=1`. */
export async function* compressedBlocks(octets: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const part of octets) {
    for (let at = 0; at < part.length; at += BLOCK_OCTETS) yield compressedBlock(part.subarray(at, at + BLOCK_OCTETS));
  }
}

async function compressedBlock(octets: Buffer): Promise<Buffer> {
  const data = (await compress(octets)).subarray(PREFIX_OCTETS);
  const header = Buffer.alloc(HEADER_OCTETS);
  header.writeUInt8(LZ4, 0);
  header.writeUInt32LE(HEADER_OCTETS + data.length, 1);
  header.writeUInt32LE(octets.length, 5);
  const block = Buffer.concat([header, data]);
  return Buffer.concat([cityHash128(block), block]);
}
