import { Readable } from 'node:stream';
import { NOT_PLAIN } from '../../rating/admission-kernel.ts';
import { csvCells, csvDecoder } from '../../rating/decode/decode-csv.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { type AvroDecoder, type AvroSchema, avroDecoder } from '../../rating/decode-avro.ts';
import { type Decoder, FLOW_RECORD_FIELDS } from '../../rating/flow-record.ts';
import { openCdrFile } from '../cdr/cdr-file.ts';
import { describeFileHeader } from '../cdr/cdr-file-header.ts';
import { type CdrMapping, NO_CDR_MAPPING } from '../cdr/cdr-mapping.ts';
import { type Goflow2Mapping, readGoflow2 } from '../goflow2/goflow2.ts';
import { SourceError } from '../source-error.ts';
import { type ContainerRecord, openAvroContainer } from './avro-container.ts';
import { ContentTrail } from './content-trail.ts';
import { FileEnding, type HeldBack } from './file-ending.ts';
import { type FlowFile, openOctets } from './flow-file.ts';
import { flowFileError } from './flow-file-error.ts';
import type { FramedRecord } from './framed-record.ts';
import { readLines } from './line-reader.ts';
import { decodeMadeValue } from './made-value.ts';

export interface FlowFileOptions {
  /** A larger record is cut to this, and refused. */
  maxRecordBytes: number;
  /** The flow record's own schema, that an Avro file's is resolved to. */
  readerSchema: AvroSchema;
  /** How CDRs are mapped; absent: unchanged. */
  cdr?: CdrMapping;
  /** How flows of goflow2 become flow records. */
  goflow2?: Goflow2Mapping;
  /** Nothing follows: what ends a file is a record, or a damaged one. Absent: it is, too. */
  isFinal?: boolean;
  /** Gzip data may end early in a final file: what is booked of it is before that. */
  mayBeCut?: boolean;
  /** Proofs of what is read are asked for, so it is kept for them. */
  isProven?: boolean;
}

/** The records of a file, a few at a time, and what turns them into fields. */
interface FlowFileRecords {
  batches: AsyncIterable<readonly FramedRecord[]>;
  decode: Decoder;
  /** What the file says of itself, in words. */
  about?: string;
}

export interface OpenFlowFile extends FlowFileRecords {
  /** How many of the file's stored octets were read. */
  readOctets(): number;
  /** What was read, for its proof. */
  trail: ContentTrail;
  /** Once all was read: what was held back, as it is no whole record. */
  heldBack(): HeldBack | null;
  close(): void;
}

/** Opens a file for reading from its start. Whatever goes wrong, then or later, is a SourceError that names the file. */
export async function openFlowFile(file: FlowFile, options: FlowFileOptions): Promise<OpenFlowFile> {
  const { octets, readOctets } = openOctets(file);
  const close = (): void => void octets.destroy();
  const ending = new FileEnding(options.isFinal ?? true, options.mayBeCut);
  const trail = new ContentTrail();
  const heldBack = () => ending.heldBack;
  try {
    const records = await OPENERS[file.format](
      trail.tap(octets, ending, options.isProven ?? false),
      file.path,
      options,
      ending,
    );
    return { ...records, batches: naming(file.path, records.batches), readOctets, trail, heldBack, close };
  } catch (cause) {
    close();
    throw flowFileError(file.path, cause);
  }
}

type Opener = (
  octets: AsyncIterable<Buffer>,
  path: string,
  options: FlowFileOptions,
  ending: FileEnding,
) => Promise<FlowFileRecords>;

const OPENERS: Readonly<Record<FlowFile['format'], Opener>> = {
  ndjson: async (octets, _path, { maxRecordBytes }, ending) => ({
    batches: readLines(octets, maxRecordBytes, ending),
    decode: decodeJson,
  }),
  csv: openCsv,
  avro: openAvro,
  cdr: openCdrs,
  goflow2: openGoflow2,
};

async function openCsv(
  octets: AsyncIterable<Buffer>,
  path: string,
  { maxRecordBytes }: FlowFileOptions,
  ending: FileEnding,
): Promise<FlowFileRecords> {
  const lines = readLines(octets, maxRecordBytes, ending);
  const first = await lines.next();
  if (first.done) return { batches: lines, decode: decodeJson };
  const [header, ...rest] = first.value;
  const decode = csvDecoder(csvColumns(path, header?.value ?? Buffer.alloc(0)));
  return { batches: joined(rest, lines), decode };
}

function csvColumns(path: string, line: Buffer): string[] {
  const cells = csvCells(line);
  const columns = typeof cells === 'string' ? [] : cells.map((cell) => cell.trim());
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  let fault: string | null = null;
  if (typeof cells === 'string') fault = `the header line cannot be read (${cells})`;
  else if (!FLOW_RECORD_FIELDS.some((name) => columns.includes(name))) fault = 'the first line is no header';
  else if (twice !== undefined) fault = `the header names the column ${twice} twice`;
  if (fault === null) return columns;
  const remedy = `start the file with a line of column names: ${FLOW_RECORD_FIELDS.join(',')}`;
  throw new SourceError('file_unreadable', `${path}: ${fault}; ${remedy}`, { path });
}

async function openAvro(
  octets: AsyncIterable<Buffer>,
  path: string,
  options: FlowFileOptions,
  ending: FileEnding,
): Promise<FlowFileRecords> {
  const { readerSchema, maxRecordBytes } = options;
  const container = await openAvroContainer(octets, maxRecordBytes, ending);
  if (container === null) return { batches: Readable.from([]), decode: decodeMadeValue };
  const decodeDatum = avroDatumDecoder(path, readerSchema, container.writerSchema);
  // Octets of a damaged block might be a datum by chance, so they are remembered rather than looked at again.
  const damages = new WeakMap<Uint8Array, string>();
  const decode: Decoder = (value) => {
    const damage = damages.get(value);
    return damage === undefined ? decodeDatum(value) : { fault: { reason: 'malformed', detail: damage } };
  };
  return {
    batches: noting(damages, container.blocks),
    decode: Object.assign(decode, {
      // The value of a damaged block has memory of its own; others share theirs with the block.
      plainDatum: (octets: Uint8Array, start: number, end: number) =>
        damages.has(octets) ? NOT_PLAIN : decodeDatum.plainDatum(octets, start, end),
    }),
  };
}

async function openCdrs(
  octets: AsyncIterable<Buffer>,
  _path: string,
  options: FlowFileOptions,
  ending: FileEnding,
): Promise<FlowFileRecords> {
  const file = await openCdrFile(octets, options.maxRecordBytes, options.cdr ?? NO_CDR_MAPPING, ending);
  if (file === null) return { batches: Readable.from([]), decode: decodeMadeValue };
  const { header, framing, batches } = file;
  return { batches, decode: decodeMadeValue, about: describeFileHeader(header) + framing };
}

async function openGoflow2(
  octets: AsyncIterable<Buffer>,
  path: string,
  { maxRecordBytes, goflow2 }: FlowFileOptions,
  ending: FileEnding,
): Promise<FlowFileRecords> {
  if (goflow2 === undefined) {
    const remedy = 'name a file that says whose an address was, with --terminals FILE or source.goflow2.terminals';
    throw new SourceError('file_unreadable', `${path}: the flows of goflow2 name no subscriber; ${remedy}`, { path });
  }
  return { batches: readGoflow2(octets, maxRecordBytes, goflow2, ending), decode: decodeMadeValue };
}

function avroDatumDecoder(path: string, readerSchema: AvroSchema, bareSchema: AvroSchema): AvroDecoder {
  try {
    return avroDecoder({ readerSchema, schemas: new Map(), bareSchema, header: 'bare' });
  } catch (cause) {
    const message = `${path}: its records are no flow records; write them under a schema that resolves to flow-record.avsc`;
    throw new SourceError('file_unreadable', `${message} (${(cause as Error).message})`, { path, cause });
  }
}

async function* noting(damages: WeakMap<Uint8Array, string>, blocks: AsyncIterable<ContainerRecord[]>) {
  for await (const block of blocks) {
    for (const { value, damage } of block) {
      if (damage !== undefined) damages.set(value, damage);
    }
    yield block;
  }
}

async function* joined(first: readonly FramedRecord[], more: AsyncIterable<readonly FramedRecord[]>) {
  yield first;
  yield* more;
}

async function* naming(path: string, batches: AsyncIterable<readonly FramedRecord[]>) {
  try {
    yield* batches;
  } catch (cause) {
    throw flowFileError(path, cause);
  }
}
