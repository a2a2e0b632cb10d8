import { isFiller } from './ber.ts';
import { EXTENDED_RELEASE } from './cdr-file-header.ts';

/** How a file cuts its CDRs; found by reading ahead, as writers differ from TS 32.297. */
export interface CdrFraming {
  /** Where the first CDR begins. */
  start: number;
  /** Octets of a CDR header; null: 4, and 5 with a release extension, as TS 32.297 says. */
  headerBytes: number | null;
  /** Does a CDR's length count its header? */
  countsHeader: boolean;
}

/** Of a CDR (TS 32.297, 6.1.2): its length, release and version, format and TS number. */
export const CDR_HEADER_OCTETS = 4;
/** Enough for a few of the largest CDRs. */
export const READ_AHEAD_OCTETS = 256 << 10;
const MAX_CDRS_AHEAD = 8;
const HEADERS = [50, 51, 52, 53, 54];

/**
 * The way of cutting under which most of the first CDRs are BER records that end where their length says; of equal ways the
 * one that the headers say, then the first of the known others. One CDR is no evidence: a damaged one may fit another way by
 * chance. Null where none fits.
 */
export function findFraming(octets: Buffer, said: number): CdrFraming | null {
  const asSaid: CdrFraming = { start: said, headerBytes: null, countsHeader: false };
  let best = asSaid;
  let bestFitting = cdrsThatFit(octets, asSaid);
  const starts = [said, ...[said - 2, said - 1, said + 1, said + 2, ...HEADERS].filter((start) => start >= 50)];
  for (const start of starts) {
    for (const countsHeader of [false, true]) {
      for (const headerBytes of [null, 5, 4]) {
        const way = { start, headerBytes, countsHeader };
        const fitting = cdrsThatFit(octets, way);
        if (fitting > bestFitting) [best, bestFitting] = [way, fitting];
      }
    }
  }
  return bestFitting > 0 || mayBeAnotherEncoding(octets, asSaid) ? best : null;
}

/** Length of the CDR's header, and of the whole CDR. */
export function cdrSpan(octets: Buffer, at: number, { headerBytes, countsHeader }: CdrFraming) {
  const header = headerBytes ?? CDR_HEADER_OCTETS + (octets[at + 2] >> 5 === EXTENDED_RELEASE ? 1 : 0);
  const length = octets.readUInt16BE(at);
  return { header, whole: countsHeader ? Math.max(header, length) : header + length };
}

/** How many octets of filler (0x00, 0xFF) there are before the next CDR. */
export function fillerAt(octets: Buffer, at: number, framing: CdrFraming): number {
  let end = at;
  while (end < octets.length && (octets[end] === 0 || octets[end] === 0xff)) end++;
  const run = end - at;
  if (run < 2 || !isFiller(octets.subarray(at, Math.min(at + 2, octets.length)))) return 0;
  if (end === octets.length) return run;
  // A length below 256 begins with an octet of 0, a version of 0 has one more behind the length.
  for (const start of [end - 1, end - 2, end]) if (start >= at && fits(octets, start, framing)) return start - at;
  // So few octets are the header of a CDR without content, where no CDR follows them.
  if (run < CDR_HEADER_OCTETS) return 0;
  return octets[end - 1] === 0 ? run - 1 : run;
}

/** The framing in words, where it is not the one that the headers say. */
export function describeFraming({ start, headerBytes, countsHeader }: CdrFraming, said: number): string {
  const parts: string[] = [];
  if (start !== said) parts.push(`CDRs from octet ${start} though the header says ${said}`);
  if (headerBytes !== null) parts.push(`CDR headers of ${headerBytes} octets though their release says otherwise`);
  if (countsHeader) parts.push('CDR lengths that count their header');
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`;
}

/** How many of the first CDRs fit, where each begins behind the one before. */
function cdrsThatFit(octets: Buffer, framing: CdrFraming): number {
  let at = framing.start;
  let fitting = 0;
  for (let cdrs = 0; cdrs < MAX_CDRS_AHEAD; cdrs++) {
    at += fillerAt(octets, at, framing);
    if (octets.length - at < CDR_HEADER_OCTETS) break;
    if (fits(octets, at, framing)) fitting++;
    at += cdrSpan(octets, at, framing).whole;
  }
  return fitting;
}

/** So few CDRs that none is behind them, of a data record format that TS 32.297 knows: what they are is said for each. */
function mayBeAnotherEncoding(octets: Buffer, framing: CdrFraming): boolean {
  let at = framing.start;
  for (let cdrs = 0; cdrs < MAX_CDRS_AHEAD; cdrs++) {
    at += fillerAt(octets, at, framing);
    if (octets.length - at < CDR_HEADER_OCTETS) return true;
    const format = octets[at + 3] >> 5;
    if (cdrs === 0 && (format === 0 || format > 4)) return false;
    at += cdrSpan(octets, at, framing).whole;
  }
  return false;
}

/** Is there a BER value of a constructed, context-specific tag that ends where the CDR does? */
function fits(octets: Buffer, at: number, framing: CdrFraming): boolean {
  if (octets.length - at < CDR_HEADER_OCTETS) return false;
  const { header, whole } = cdrSpan(octets, at, framing);
  const content = octets.subarray(at + header, at + whole);
  if (content.length < whole - header || content.length < 3 || (content[0] & 0xe0) !== 0xa0) return false;
  let next = 1;
  if ((content[0] & 31) === 31) while (next < 4 && content[next++] >= 128);
  const said = content[next++];
  if (said === 128) return content[content.length - 1] === 0 && content[content.length - 2] === 0;
  const lengthOctets = said > 128 ? said - 128 : 0;
  if (lengthOctets > 4 || next + lengthOctets > content.length) return false;
  const length = lengthOctets === 0 ? said : content.readUIntBE(next, lengthOctets);
  const end = next + lengthOctets + length;
  return end <= content.length && isFiller(content.subarray(end));
}
