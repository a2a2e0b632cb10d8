import { compress } from 'lz4-napi';
import { cityHash128 } from './city-hash.ts';

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
