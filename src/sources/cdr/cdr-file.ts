import { grouped } from '../../platform/telemetry/terminal-output.ts';
import type { Candidate } from '../../rating/flow-record.ts';
import { RECORDS_PER_CDR } from '../../rating/record/cdr-numbering.ts';
import { type FileEnding, finalEnding } from '../files/file-ending.ts';
import { type FramedRecord, framedRecord } from '../files/framed-record.ts';
import { faultValue, recordValue } from '../files/made-value.ts';
import { OctetWindow } from '../files/octet-window.ts';
import { readBer } from './ber.ts';
import { byTag, type Fields, type ReadCdr } from './cdr-fields.ts';
import { CdrFileError, type CdrFileHeader, FIXED_OCTETS, headerLength, parseFileHeader } from './cdr-file-header.ts';
import {
  CDR_HEADER_OCTETS,
  type CdrFraming,
  cdrSpan,
  describeFraming,
  type Extent,
  type Filler,
  fillerAt,
  fillerRun,
  findFraming,
  READ_AHEAD_OCTETS,
} from './cdr-framing.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { subscriberFields } from './cdr-subscriber.ts';
import { readChfCdr } from './chf-cdr.ts';
import { readPgwCdr, readSgwCdr } from './pgw-cdr.ts';

const FORMATS = ['none', 'BER', 'unaligned PER', 'aligned PER', 'XML'];
const BER = 1;

export interface CdrFile {
  header: CdrFileHeader;
  /** How its CDRs are cut where its headers say otherwise; empty where they do not. */
  framing: string;
  /** Where its CDRs begin. */
  contentBegin: number;
  /** The flow records of one CDR at a time. */
  batches: AsyncGenerator<FramedRecord[], void, undefined>;
}

/**
 * Opens a file of CDRs (TS 32.297) in BER (TS 32.298). A CDR that is none gives one record that says so, and reading goes
 * on behind it, by its length: the indexes of the records are the same each time. A record's value is its fields as JSON:
 * what it takes from its CDR is not one span of the file. Null for a file that may still grow and is too short to say where its
 * CDRs begin: all of it is held back.
 */
export async function openCdrFile(
  input: AsyncIterable<Buffer>,
  limitOctets: number,
  mapping: CdrMapping,
  ending: FileEnding = finalEnding(),
): Promise<CdrFile | null> {
  const window = new OctetWindow(input);
  const header = await headerOf(window, ending);
  const framing = header === null ? null : await framingOf(window, header, ending);
  if (header === null || framing === null) return null;
  window.skip(framing.start);
  const batches = framed(readCdrs(window, header, framing, mapping, ending), window, limitOctets);
  return { header, contentBegin: framing.start, framing: describeFraming(framing, header.headerBytes), batches };
}

async function headerOf(window: OctetWindow, ending: FileEnding): Promise<CdrFileHeader | null> {
  const isFixed = await window.grow(FIXED_OCTETS);
  const length = isFixed || ending.isFinal ? headerLength(window.octets) : FIXED_OCTETS;
  if (await window.grow(length)) return parseFileHeader(window.octets.subarray(0, length));
  if (ending.isFinal) {
    throw new CdrFileError(`ends at octet ${window.octets.length}, inside of its header of ${length} octets`);
  }
  ending.holdBack(window.octets.length, 'a file header that is not whole');
  return null;
}

async function framingOf(window: OctetWindow, header: CdrFileHeader, ending: FileEnding): Promise<CdrFraming | null> {
  const said = header.headerBytes;
  const ahead = said + READ_AHEAD_OCTETS;
  let extent: Extent = 'part';
  if (!(await window.grow(ahead))) extent = isWhole(header, window.octets.length, ending) ? 'whole' : 'growing';
  const found = findFraming(window.octets.subarray(0, ahead), said, extent);
  if (found === 'undecided') {
    ending.holdBack(window.octets.length - said, 'too few whole CDRs to find their framing');
    return null;
  }
  if (found !== null) return found;
  const ways = 'CDR headers of 4 and of 5 octets, lengths with and without them, and file headers of 50 to 54 octets';
  throw new CdrFileError(`no CDR in BER begins at octet ${said}; tried ${ways}`);
}

/** Does nothing follow behind so many octets? Octets behind the length in the header show that the file has grown since. */
function isWhole({ fileOctets }: CdrFileHeader, octets: number, ending: FileEnding): boolean {
  return ending.isFinal || octets === fileOctets;
}

/** Is there a CDR in the file? */
export async function holdsCdrs({ batches }: CdrFile): Promise<boolean> {
  return !(await batches.next()).done;
}

async function* framed(cdrs: AsyncGenerator<Buffer[], void, undefined>, window: OctetWindow, limitOctets: number) {
  for await (const values of cdrs) {
    yield values.map((value) => framedRecord(value, 0, value.length, limitOctets, window.offset));
  }
}

async function* readCdrs(
  window: OctetWindow,
  header: CdrFileHeader,
  framing: CdrFraming,
  mapping: CdrMapping,
  ending: FileEnding,
): AsyncGenerator<Buffer[]> {
  let at = framing.start;
  let cdrs = 0;
  let end = at;
  while (await window.grow(1)) {
    const filler = await skipFiller(window, framing);
    at += filler.octets;
    if (window.octets.length === 0) break;
    const start = at;
    const cdr = await nextCdr(window, framing);
    if ((cdr.isCut || filler.isOpen) && !isWhole(header, at + window.octets.length, ending)) {
      return ending.holdBack(window.octets.length, 'a last CDR that is not whole');
    }
    at += cdr.octets;
    end = at;
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
  if (isWhole(header, end, ending)) yield [faulty(`the file header says ${header.cdrs} CDRs, there are ${cdrs}`)];
}

interface Cdr {
  /** With its header. */
  octets: number;
  content: Buffer;
  isCut: boolean;
  fault?: string;
}

/** Leaves filler behind, of whatever length. */
async function skipFiller(window: OctetWindow, framing: CdrFraming): Promise<Filler> {
  let octets = 0;
  const skip = (length: number): void => {
    window.skip(length);
    octets += length;
  };
  for (;;) {
    await window.grow(2);
    if (fillerRun(window.octets.subarray(0, 2), 0) < 2) return { octets, isOpen: false };
    await window.grow(READ_AHEAD_OCTETS);
    const run = fillerRun(window.octets, 0);
    if (run > CDR_HEADER_OCTETS) {
      // Near its end all of the CDR that follows is looked at.
      skip(run - CDR_HEADER_OCTETS);
      continue;
    }
    const filler = fillerAt(window.octets, 0, framing);
    skip(filler.octets);
    return { octets, isOpen: filler.isOpen };
  }
}

async function nextCdr(window: OctetWindow, framing: CdrFraming): Promise<Cdr> {
  const cut = { content: window.octets, isCut: true, fault: 'cut short' };
  if (!(await window.grow(CDR_HEADER_OCTETS))) return { ...cut, octets: window.octets.length };
  const { header: headerBytes, whole: octets } = cdrSpan(window.octets, 0, framing);
  if (!(await window.grow(octets))) return { ...cut, octets: window.octets.length };
  const format = window.octets[3] >> 5;
  const content = window.octets.subarray(headerBytes, octets);
  const whole = { octets, content, isCut: false };
  return format === BER ? whole : { ...whole, fault: `in ${FORMATS[format] ?? `format ${format}`}, not in BER` };
}

/** Of what is kept of it, long runs of digits are masked as a subscriber's: numbers are written in groups. */
function faulty(detail: string): Buffer {
  return faultValue({ reason: 'malformed', detail });
}

/** By their tags in GPRSRecord and CHFRecord (TS 32.298). */
const READERS: ReadonlyMap<number, (fields: Fields, mapping: CdrMapping) => ReadCdr> = new Map([
  [78, readSgwCdr],
  [79, readPgwCdr],
  [200, readChfCdr],
]);

/**
 * The flow records of one CDR, as `docs/reference/cdr.md` maps them: one for each container; for a CDR without any, one of 0 octets, so
 * that its number is not missing. A text says why the octets are no such CDR. Never throws.
 */
export function cdrFlowRecords(octets: Uint8Array, mapping: CdrMapping): Candidate[] | string {
  const record = readBer(octets);
  if (typeof record === 'string') return record;
  const reader = READERS.get(record.tag);
  if (reader === undefined) return `no PGW-CDR and no CHF-CDR: its tag is ${record.tag}, not 79 or 200`;
  const { common, subscriber, number, usages, unused, fault } = reader(byTag(record), mapping);
  if (usages.length >= RECORDS_PER_CDR) return `${usages.length} containers`;
  const numbered = (place: number) => (typeof number === 'number' ? number * RECORDS_PER_CDR + place : number);
  const recordOf = (usage: Candidate, place: number) => ({
    ...common,
    localSequenceNumber: numbered(place),
    ...subscriberFields(subscriber, usage.startTime, mapping),
    ...usage,
    ...(fault && { fault }),
  });
  return usages.length === 0 || fault ? [recordOf(unused, 0)] : usages.map((usage, i) => recordOf(usage, i + 1));
}
