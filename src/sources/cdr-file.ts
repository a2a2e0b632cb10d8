import { grouped } from '../platform/print-table.ts';
import type { CdrMapping } from './cdr-fields.ts';
import {
  CdrFileError,
  type CdrFileHeader,
  EXTENDED_RELEASE,
  FIXED_OCTETS,
  headerLength,
  parseFileHeader,
} from './cdr-file-header.ts';
import { cdrFlowRecords } from './cdr-records.ts';
import { type FileEnding, finalEnding } from './file-ending.ts';
import { type FramedRecord, framedRecord } from './framed-record.ts';
import { faultValue, recordValue } from './made-value.ts';
import { OctetWindow } from './octet-window.ts';

/** Of a CDR (TS 32.297, 6.1.2): its length, release and version, format and TS number. */
const CDR_HEADER_OCTETS = 4;
const FORMATS = ['none', 'BER', 'unaligned PER', 'aligned PER', 'XML'];
const BER = 1;

export interface CdrFile {
  header: CdrFileHeader;
  /** The flow records of one CDR at a time. */
  batches: AsyncGenerator<FramedRecord[], void, undefined>;
}

/**
 * Opens a file of CDRs (TS 32.297) in BER (TS 32.298). A CDR that is none gives one record that says so, and reading goes
 * on behind it, by its length: the indexes of the records are the same each time. A record's value is its fields as JSON:
 * what it takes from its CDR stands nowhere in one piece.
 */
export async function openCdrFile(
  input: AsyncIterable<Buffer>,
  limitOctets: number,
  mapping: CdrMapping,
  ending: FileEnding = finalEnding(),
): Promise<CdrFile> {
  const window = new OctetWindow(input);
  await window.grow(FIXED_OCTETS);
  const length = headerLength(window.octets);
  if (!(await window.grow(length))) {
    throw new CdrFileError(`ends at octet ${window.octets.length}, inside of its header of ${length} octets`);
  }
  const header = parseFileHeader(window.octets.subarray(0, length));
  window.skip(length);
  return { header, batches: framed(readCdrs(window, header, mapping, ending), window, limitOctets) };
}

/** Is there a CDR in the file? */
export async function holdsCdrs({ batches }: CdrFile): Promise<boolean> {
  return !(await batches.next()).done;
}

async function* framed(cdrs: AsyncGenerator<Buffer[], void, undefined>, window: OctetWindow, limitOctets: number) {
  for await (const values of cdrs) {
    yield values.map((value) => framedRecord(value, value.length, limitOctets, window.offset));
  }
}

async function* readCdrs(
  window: OctetWindow,
  header: CdrFileHeader,
  mapping: CdrMapping,
  ending: FileEnding,
): AsyncGenerator<Buffer[]> {
  let at = header.headerOctets;
  let cdrs = 0;
  while (await window.grow(1)) {
    const start = at;
    const cdr = await nextCdr(window);
    at += cdr.octets;
    if (cdr.isCut && !ending.isFinal) return ending.holdBack(cdr.octets, 'a last CDR that is not whole');
    cdrs += 1;
    const records = cdr.fault ?? cdrFlowRecords(cdr.content, mapping);
    window.skip(cdr.octets);
    yield typeof records === 'string'
      ? [faulty(`CDR ${cdrs} at octet ${grouped(start)}: ${records}`)]
      : records.map(recordValue);
  }
  const missingOctets = (header.fileOctets ?? at) - at;
  if (missingOctets > 0 && !ending.isFinal) {
    return ending.holdBack(missingOctets, `${header.fileOctets} octets by its header, of which some are not there`);
  }
  if (missingOctets > 0)
    yield [faulty(`the file ends at octet ${grouped(at)}, but its header says ${header.fileOctets}`)];
  if (header.cdrs === null || header.cdrs === cdrs) return;
  // While a file is written its header may be behind: a record that counts them would be between its CDRs later on.
  if (ending.isFinal || header.fileOctets !== null)
    yield [faulty(`the file header says ${header.cdrs} CDRs, there are ${cdrs}`)];
}

interface Cdr {
  /** With its header. */
  octets: number;
  content: Buffer;
  isCut: boolean;
  fault?: string;
}

async function nextCdr(window: OctetWindow): Promise<Cdr> {
  const cut = { content: window.octets, isCut: true, fault: 'cut short' };
  if (!(await window.grow(CDR_HEADER_OCTETS))) return { ...cut, octets: window.octets.length };
  const headerOctets = CDR_HEADER_OCTETS + (window.octets[2] >> 5 === EXTENDED_RELEASE ? 1 : 0);
  const octets = headerOctets + window.octets.readUInt16BE(0);
  if (!(await window.grow(octets))) return { ...cut, octets: window.octets.length };
  const format = window.octets[3] >> 5;
  const content = window.octets.subarray(headerOctets, octets);
  const whole = { octets, content, isCut: false };
  return format === BER ? whole : { ...whole, fault: `in ${FORMATS[format] ?? `format ${format}`}, not in BER` };
}

/** Of what is kept of it, long runs of digits are masked as a subscriber's: numbers are written in groups. */
function faulty(detail: string): Buffer {
  return faultValue({ reason: 'malformed', detail });
}
