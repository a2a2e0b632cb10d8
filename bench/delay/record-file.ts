import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { encodeGeneratedAvro } from '../../src/generator/encode-avro.ts';
import type { GenerateOptions } from '../../src/generator/generate-options.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { SCHEMA_ID } from '../throughput/dataset.ts';

const CHUNK_OCTETS = 2 ** 20;
const MOST_OCTETS = 2 ** 12;

/** Encoded ahead, so that the sender has nothing else to do: their number, then key and value of each, with their lengths. */
export async function writeRecordFile(path: string, options: GenerateOptions): Promise<void> {
  await pipeline(Readable.from(chunks(options)), createWriteStream(path));
}

function* chunks(options: GenerateOptions): Generator<Buffer> {
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(options.records));
  yield head;
  let chunk = Buffer.allocUnsafe(CHUNK_OCTETS);
  let at = 0;
  for (const generated of generateRecords(options)) {
    if (generated.kind === 'malformed') throw new Error('all records are to be readable');
    const value = encodeGeneratedAvro(generated, SCHEMA_ID);
    const key = Buffer.from(generated.record.servedMsisdn);
    at = chunk.writeUInt8(key.length, at);
    at += key.copy(chunk, at);
    at = chunk.writeUInt16BE(value.length, at);
    at += value.copy(chunk, at);
    if (at + MOST_OCTETS < CHUNK_OCTETS) continue;
    yield chunk.subarray(0, at);
    chunk = Buffer.allocUnsafe(CHUNK_OCTETS);
    at = 0;
  }
  yield chunk.subarray(0, at);
}
