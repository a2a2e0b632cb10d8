import { jsonFaultAt } from '../../rating/decode/json-fault.ts';
import { SourceError } from '../source-error.ts';
import { headerCells, headerFault } from './csv-header.ts';
import { type FlowFile, openOctets } from './flow-file.ts';
import { flowFileError } from './flow-file-error.ts';

/** What of a file is looked at; more than a record is allowed to have by default. */
const BEGINNING_OCTETS = 128 << 10;
/** So many lines without an object, and a file is none of JSON lines. */
const LINES_TO_JUDGE = 3;

/** What keeps a whole file from being read as its format, and what to do. */
export interface FileFault {
  /** 1-based; 0: no line can be named. */
  line: number;
  message: string;
}

/** The beginning of a text file, unpacked. */
export interface Beginning {
  octets: Buffer;
  /** Whether this is all of the file, and nothing follows. */
  isWhole: boolean;
}

/**
 * Looks at the beginning of each file and rejects with a SourceError, one message for the file, where it is something else than its
 * name or `--format` says: each of its lines would be rejected otherwise, or misread. Files of CDRs are left to their own reader.
 * `isFinal`: nothing more is written to them.
 */
export async function checkBeginnings(files: readonly FlowFile[], isFinal = true): Promise<void> {
  for (const file of files) {
    if (file.format === 'cdr') continue;
    const fault = beginningFault(file.format, await readBeginning(file, isFinal));
    if (fault === null) continue;
    const place = fault.line === 0 ? file.path : `${file.path}:${fault.line}`;
    throw new SourceError('file_unreadable', `${place}: ${fault.message}`, { path: file.path });
  }
}

/** What keeps the file from being read as this format; null if nothing is seen that would. */
export function beginningFault(format: Exclude<FlowFile['format'], 'cdr'>, beginning: Beginning): FileFault | null {
  const packed = packedFault(beginning.octets);
  if (packed !== null || format === 'avro') return packed;
  const binary = encodingFault(beginning.octets);
  if (binary !== null) return binary;
  const lines = new TextLines(beginning);
  if (lines.hasOnlyCarriageReturns) return { line: 1, message: CR_ONLY };
  if (lines.list.length === 0) return null;
  return format === 'csv' ? csvFault(lines) : jsonLinesFault(lines);
}

const CR_ONLY =
  "the lines end with a carriage return alone, which is no line end here; convert the file: tr '\\r' '\\n' < FILE";

const PACKED: readonly (readonly [magic: string, what: string, remedy: string])[] = [
  ['\x1f\x8b', 'gzip data', 'end its name in .gz (once for each time that it was packed, or unpack it)'],
  ['PK\x03\x04', 'a zip archive or a spreadsheet', 'unpack it, or export it as CSV'],
  ['\x28\xb5\x2f\xfd', 'zstd data', 'unpack it: zstd -d FILE'],
  ['BZh', 'bzip2 data', 'unpack it: bunzip2 FILE'],
  ['\xfd7zXZ\x00', 'xz data', 'unpack it: unxz FILE'],
  ['\x04\x22\x4d\x18', 'lz4 data', 'unpack it: lz4 -d FILE'],
  ['7z\xbc\xaf\x27\x1c', 'a 7z archive', 'unpack it'],
  ['PAR1', 'a Parquet file', 'write its rows as NDJSON, CSV or Avro'],
  ['ORC', 'an ORC file', 'write its rows as NDJSON, CSV or Avro'],
];
const AVRO_MAGIC = 'Obj\x01';

function packedFault(octets: Buffer): FileFault | null {
  const start = octets.toString('latin1', 0, 8);
  const packed = PACKED.find(([magic]) => start.startsWith(magic));
  return packed === undefined ? null : { line: 0, message: `is ${packed[1]}; ${packed[2]}` };
}

function encodingFault(octets: Buffer): FileFault | null {
  if (octets.toString('latin1', 0, AVRO_MAGIC.length) === AVRO_MAGIC) {
    return { line: 0, message: 'is an Avro container; end its name in .avro, or say --format avro' };
  }
  const encoding = wideEncoding(octets);
  if (encoding === null) return null;
  return { line: 0, message: `is ${encoding} text; UTF-8 is read: iconv -f ${encoding} -t UTF-8 FILE` };
}

/** UTF-16 and UTF-32, by their byte order mark or by the zeros around a first character that is ASCII. */
function wideEncoding(octets: Buffer): string | null {
  const [a, b, c, d] = octets;
  const isZero = [a, b, c, d].map((octet) => octet === 0);
  if (a === 0xff && b === 0xfe) return isZero[2] && isZero[3] ? 'UTF-32LE' : 'UTF-16LE';
  if (a === 0xfe && b === 0xff) return 'UTF-16BE';
  if (isZero[0] && isZero[1] && ((c === 0xfe && d === 0xff) || (c === 0 && d > 0))) return 'UTF-32BE';
  if (a > 0 && isZero[1]) return isZero[2] && isZero[3] ? 'UTF-32LE' : 'UTF-16LE';
  return isZero[0] && b > 0 && isZero[2] ? 'UTF-16BE' : null;
}

interface TextLine {
  /** 1-based. */
  number: number;
  /** Without its line end. */
  text: string;
}

/** The lines of a beginning that are whole and not blank. */
class TextLines {
  readonly list: readonly TextLine[];
  readonly text: string;
  readonly hasOnlyCarriageReturns: boolean;
  /** Is the first line followed by its line end, or by nothing any more? */
  readonly isFirstWhole: boolean;

  constructor({ octets, isWhole }: Beginning) {
    const all = octets.toString('utf8').replace(/^\ufeff/, '');
    // A line feed may follow.
    const text = isWhole ? all : all.replace(/\r$/, '');
    this.isFirstWhole = isWhole || text.trimStart().includes('\n');
    this.text = text;
    this.hasOnlyCarriageReturns = !text.includes('\n') && /\r/.test(text.trimStart());
    const lines = text.split('\n').map((line, at) => ({ number: at + 1, text: line.replace(/\r$/, '') }));
    // The last one may be cut by the end of what was read.
    const whole = isWhole || lines.length === 1 ? lines : lines.slice(0, -1);
    this.list = whole.filter((line) => line.text.trim() !== '');
  }
}

function csvFault({ list, text, isFirstWhole }: TextLines): FileFault | null {
  const [header] = list;
  if (/^\s*[[{]/.test(header.text)) {
    return { line: header.number, message: 'holds JSON; end its name in .ndjson, one object a line' };
  }
  if (!isFirstWhole) return null;
  const fault = headerFault(header.text);
  if (fault !== null) return { line: header.number, message: fault };
  const at = text.search(/\r(?!\n)/);
  if (at === -1) return null;
  const line = text.slice(0, at).split('\n').length;
  return { line, message: 'has a carriage return that no line feed follows; end lines with \\n or \\r\\n' };
}

function jsonLinesFault({ list }: TextLines): FileFault | null {
  const [first, second] = list;
  const text = first.text.trim();
  const fault = (message: string): FileFault => ({ line: first.number, message });
  if (text.startsWith('[')) {
    return fault("holds a JSON array; one object a line is read: jq -c '.[]' FILE");
  }
  if (text.startsWith('\x1e')) {
    return fault("holds a JSON text sequence (RFC 7464); remove the separators: tr -d '\\036' < FILE");
  }
  if (text.startsWith('{')) return objectFault(text, second?.text, list.length === 1, fault);
  const cells = headerCells(text);
  if (cells.knownColumns > 1) return fault('begins with a CSV header; end its name in .csv, or say --format csv');
  const isNone = list.length >= LINES_TO_JUDGE && list.every((line) => !line.text.trimStart().startsWith('{'));
  return isNone ? fault('is no JSON: one object a line is read, and no line begins with {') : null;
}

function objectFault(
  text: string,
  next: string | undefined,
  isOnly: boolean,
  fault: (message: string) => FileFault,
): FileFault | null {
  const at = jsonFaultAt(text);
  if (at === null) return null;
  if (text.slice(at).trim() === ',' && jsonFaultAt(text.slice(0, at)) === null) {
    return fault("has a comma after its object, as a part of an array has; one object a line is read: sed 's/,$//'");
  }
  if (isOnly && text[at] === '{' && jsonFaultAt(text.slice(0, at)) === null) {
    return fault('has several objects in its only line; one object a line is read: jq -c . FILE');
  }
  // What ends too early and continues in the next line is one object over several lines.
  if (at < text.length || next === undefined) return null;
  const both = `${text}\n${next}`;
  const continued = jsonFaultAt(both);
  if (continued !== null && continued < both.length) return null;
  return fault('holds an object over several lines (pretty-printed); one object a line is read: jq -c . FILE');
}

async function readBeginning(file: FlowFile, isFinal: boolean): Promise<Beginning> {
  const { octets: stream } = openOctets(file);
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      parts.push(part);
      length += part.length;
      if (length > BEGINNING_OCTETS) break;
    }
  } catch (cause) {
    const isCut = (cause as { code?: unknown }).code === 'Z_BUF_ERROR';
    if (isFinal || !isCut) throw flowFileError(file.path, cause);
  } finally {
    stream.destroy();
  }
  return { octets: Buffer.concat(parts).subarray(0, BEGINNING_OCTETS), isWhole: isFinal && length <= BEGINNING_OCTETS };
}
