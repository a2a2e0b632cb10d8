import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import avro from 'avsc';
import { ConfigError } from '../platform/config/config-error.ts';
import { flowFileFormatOf } from '../rating/record/flow-file-format.ts';
import { encodeGeneratedAvro, FLOW_RECORD_SCHEMA } from './encode-avro.ts';
import { CSV_HEADER, encodeGeneratedCsv, encodeGeneratedJson } from './encode-text.ts';
import { completeOptions, type GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import type { GeneratedRecord } from './generated-record.ts';
import type { GeneratedTotals } from './generated-totals.ts';
import { malformationsOf } from './malformations.ts';
import { takeRecords } from './take-records.ts';

/** Formats that the generator writes; the others are gateways'. */
export type GeneratedFileFormat = 'ndjson' | 'csv' | 'avro';

/** Called after every chunk with the records written so far. */
export type OnGenerateProgress = (recordsWritten: number) => void;

export interface GenerateToFile {
  /** Path of the file. A name that ends in `.gz` is compressed. An older file of the name is replaced. */
  path: string;
  /** Default: the format of the name's ending: `.ndjson`, `.jsonl`, `.json`, `.csv` or `.avro`, each also with `.gz`. */
  format?: GeneratedFileFormat;
  options: GenerateOptions;
  onProgress?: OnGenerateProgress;
}

const RECORDS_PER_CHUNK = 1000;
/** Writes one file of generated records; malformed ones have the faults that the format can hold. */
export async function generateToFile(request: GenerateToFile): Promise<GeneratedTotals> {
  const { path, format = fileFormatOf(path), options, onProgress } = request;
  // Checked before the file is opened: invalid options must not empty an older file.
  completeOptions(options);
  const stream = await openForWriting(path);
  return writeRecords({ format, options, gzip: path.endsWith('.gz'), stream, onProgress });
}

async function openForWriting(path: string): Promise<Writable> {
  try {
    return (await open(path, 'w')).createWriteStream();
  } catch (cause) {
    throw new ConfigError(
      `${path}: cannot be written (${(cause as Error).message}); name a file in a folder that exists`,
    );
  }
}

/** Returns the format of a file's ending. Throws a ConfigError for any other ending. */
function fileFormatOf(path: string): GeneratedFileFormat {
  const format = flowFileFormatOf(path);
  if (format === 'ndjson' || format === 'csv' || format === 'avro') return format;
  throw new ConfigError(
    `${path}: the ending is none of a generated format; use .ndjson, .csv, .avro (each also .gz), or name the format`,
  );
}

export interface WriteRecords {
  format: GeneratedFileFormat;
  options: GenerateOptions;
  gzip?: boolean;
  /** The destination; it is ended, and its back-pressure is respected. */
  stream: Writable;
  onProgress?: OnGenerateProgress | undefined;
}

export async function writeRecords(request: WriteRecords): Promise<GeneratedTotals> {
  const { format, options, gzip = false, stream, onProgress } = request;
  const records = generateRecords({ malformations: malformationsOf(format), ...options });
  const encoder = createEncoder(format, options.seed);
  let totals: GeneratedTotals | undefined;
  function* chunks(): Generator<Buffer> {
    if (encoder.head.length > 0) yield encoder.head;
    for (let written = 0; totals === undefined; ) {
      const taken = takeRecords(records, RECORDS_PER_CHUNK);
      totals = taken.totals;
      if (taken.records.length > 0) yield encoder.encode(taken.records);
      written += taken.records.length;
      onProgress?.(written);
    }
  }
  const source = Readable.from(chunks());
  await (gzip ? pipeline(source, createGzip({ level: constants.Z_BEST_SPEED }), stream) : pipeline(source, stream));
  if (totals === undefined) throw new Error('the stream ended before the records did');
  return totals;
}

interface Encoder {
  head: Buffer;
  encode(records: readonly GeneratedRecord[]): Buffer;
}

function createEncoder(format: GeneratedFileFormat, seed: number): Encoder {
  switch (format) {
    case 'ndjson':
      return { head: Buffer.alloc(0), encode: (records) => lines(records.map(encodeGeneratedJson)) };
    case 'csv':
      return { head: Buffer.from(`${CSV_HEADER}\n`), encode: (records) => lines(records.map(encodeGeneratedCsv)) };
    case 'avro': {
      // The marker is drawn from the seed: the same seed gives the same bytes.
      const sync = createHash('sha256').update(`zerorate ${seed}`).digest().subarray(0, 16);
      const encode = (records: readonly GeneratedRecord[]) =>
        containerBlock(
          records.map((record) => encodeGeneratedAvro(record)),
          sync,
        );
      return { head: containerHeader(sync), encode };
    }
  }
}

function lines(texts: readonly string[]): Buffer {
  return Buffer.from(`${texts.join('\n')}\n`);
}

// The file format of Avro 1.11, "Object Container Files"; avsc's own encoder takes only values, one stream event each.
const headerType = avro.Type.forSchema({
  type: 'record',
  name: 'org.apache.avro.file.Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'Sync', size: 16 } },
  ],
});
const longType = avro.Type.forSchema('long');

/** Returns the header. `sync`: 16 bytes that end the header and every block. */
function containerHeader(sync: Buffer): Buffer {
  return headerType.toBuffer({
    magic: Buffer.from('Obj\x01', 'latin1'),
    meta: { 'avro.schema': Buffer.from(FLOW_RECORD_SCHEMA), 'avro.codec': Buffer.from('null') },
    sync,
  });
}

/** Returns one block of encoded records. */
function containerBlock(records: readonly Buffer[], sync: Buffer): Buffer {
  const size = records.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([longType.toBuffer(records.length), longType.toBuffer(size), ...records, sync]);
}
