import { isFiller } from './ber.ts';
import { EXTENDED_RELEASE } from './cdr-file-header.ts';
import { berEnd } from './lenient-ber.ts';

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

/** What the octets that were read are of their file: all that it will have, what it has so far, or its first part. */
export type Extent = 'whole' | 'growing' | 'part';

/**
 * The framing under which most of the first CDRs are BER records that end where their length says; of equal ones the one that the
 * headers say, then the first of the known others. Another one than the headers say needs more than one CDR, or one with nothing
 * behind it: a damaged CDR may fit by chance. Null where none fits; `undecided` where what is still to be written may decide.
 */
export function findFraming(octets: Buffer, said: number, extent: Extent): CdrFraming | null | 'undecided' {
  const asSaid: CdrFraming = { start: said, headerBytes: null, countsHeader: false };
  const starts = [said, ...[said - 2, said - 1, said + 1, said + 2, ...HEADERS].filter((start) => start >= 50)];
  const framings = starts.flatMap((start) =>
    [false, true].flatMap((countsHeader) =>
      [null, 5, 4].map((headerBytes): CdrFraming => ({ start, headerBytes, countsHeader })),
    ),
  );
  const cuts = framings.map((framing) => cutAhead(octets, framing, extent));
  let [best] = cuts;
  for (const cut of cuts) if (cut.fitting > best.fitting && isEvidence(cut, extent)) best = cut;
  if (extent === 'growing' && octets.length > said) {
    const rivals = best.fitting === MAX_CDRS_AHEAD ? cuts.slice(0, cuts.indexOf(best)) : cuts;
    if (best.fitting === 0 || rivals.some((rival) => mayProve(rival, best))) return 'undecided';
  }
  return best.fitting > 0 || mayBeAnotherEncoding(octets, asSaid) ? best.framing : null;
}

/** Length of the CDR's header, and of the whole CDR. */
export function cdrSpan(octets: Buffer, at: number, { headerBytes, countsHeader }: CdrFraming) {
  const header = headerBytes ?? CDR_HEADER_OCTETS + (octets[at + 2] >> 5 === EXTENDED_RELEASE ? 1 : 0);
  const length = octets.readUInt16BE(at);
  return { header, whole: countsHeader ? Math.max(header, length) : header + length };
}

export interface Filler {
  octets: number;
  /** What follows them is cut by the end of the octets: with more of them, its CDR may begin an octet or two elsewhere. */
  isOpen: boolean;
}

/** The filler (0x00, 0xFF) before the next CDR. */
export function fillerAt(octets: Buffer, at: number, framing: CdrFraming): Filler {
  const run = fillerRun(octets, at);
  const end = at + run;
  if (run < 2) return NO_FILLER;
  if (end === octets.length) return { octets: run, isOpen: false };
  // A length below 256 begins with an octet of 0, a version of 0 has one more behind the length.
  const starts = [end - 1, end - 2, end].filter((start) => start >= at);
  for (const start of starts) if (fits(octets, start, framing)) return { octets: start - at, isOpen: false };
  const isOpen = starts.some((start) => isCut(octets, start, framing));
  // So few octets are the header of a CDR without content, where no CDR follows them.
  if (run < CDR_HEADER_OCTETS) return { octets: 0, isOpen };
  return { octets: octets[end - 1] === 0 ? run - 1 : run, isOpen };
}

const NO_FILLER: Filler = { octets: 0, isOpen: false };

/** How many octets from there on are 0x00 or 0xFF. */
export function fillerRun(octets: Buffer, at: number): number {
  let end = at;
  while (end < octets.length && (octets[end] === 0 || octets[end] === 0xff)) end++;
  return end - at;
}

/** The framing in words, where it is not the one that the headers say. */
export function describeFraming({ start, headerBytes, countsHeader }: CdrFraming, said: number): string {
  const parts: string[] = [];
  if (start !== said) parts.push(`CDRs from octet ${start} though the header says ${said}`);
  if (headerBytes !== null) parts.push(`CDR headers of ${headerBytes} octets though their release says otherwise`);
  if (countsHeader) parts.push('CDR lengths that count their header');
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`;
}

/** The first CDRs as a framing cuts them, as far as they are whole. */
interface CutAhead {
  framing: CdrFraming;
  /** Where the content of each begins and where it ends, one behind the other. */
  places: readonly number[];
  /** How many of them are BER records that end where their length says. */
  fitting: number;
  /** Is there nothing but filler behind them? */
  isAll: boolean;
}

function cutAhead(octets: Buffer, framing: CdrFraming, extent: Extent): CutAhead {
  const places: number[] = [];
  let at = framing.start;
  let fitting = 0;
  while (places.length < 2 * MAX_CDRS_AHEAD) {
    const filler = fillerAt(octets, at, framing);
    if (filler.isOpen && extent !== 'whole') break;
    at += filler.octets;
    if (isCut(octets, at, framing)) break;
    if (fits(octets, at, framing)) fitting++;
    const { header, whole } = cdrSpan(octets, at, framing);
    places.push(at + header, at + whole);
    at += whole;
  }
  return { framing, places, fitting, isAll: at + fillerRun(octets, at) >= octets.length };
}

function misfitting({ places, fitting }: CutAhead): number {
  return places.length / 2 - fitting;
}

/** Is it enough to cut CDRs otherwise than their headers say? */
function isEvidence(cut: CutAhead, extent: Extent): boolean {
  if (cut.fitting !== 1) return cut.fitting > 1;
  return extent === 'part' ? misfitting(cut) === 0 : extent === 'whole' && cut.isAll;
}

/** May the rival fit as many CDRs as the best once they are whole, and does it cut those of the best otherwise? */
function mayProve(rival: CutAhead, best: CutAhead): boolean {
  if (misfitting(rival) > 0 || rival.fitting === 0 || rival.fitting < best.fitting - 1) return false;
  const shared = Math.min(rival.places.length, best.places.length);
  return misfitting(best) > 0 || rival.places.slice(0, shared).some((place, i) => place !== best.places[i]);
}

/** So few CDRs that none is behind them, of a data record format that TS 32.297 knows: what they are is said for each. */
function mayBeAnotherEncoding(octets: Buffer, framing: CdrFraming): boolean {
  let at = framing.start;
  for (let cdrs = 0; cdrs < MAX_CDRS_AHEAD; cdrs++) {
    at += fillerAt(octets, at, framing).octets;
    if (octets.length - at < CDR_HEADER_OCTETS) return true;
    const format = octets[at + 3] >> 5;
    if (cdrs === 0 && (format === 0 || format > 4)) return false;
    at += cdrSpan(octets, at, framing).whole;
  }
  return false;
}

/** Does the CDR end behind the octets? */
function isCut(octets: Buffer, at: number, framing: CdrFraming): boolean {
  return octets.length - at < CDR_HEADER_OCTETS || at + cdrSpan(octets, at, framing).whole > octets.length;
}

/** Is there a BER value of a constructed, context-specific tag that ends where the CDR does? */
function fits(octets: Buffer, at: number, framing: CdrFraming): boolean {
  if (isCut(octets, at, framing)) return false;
  const { header, whole } = cdrSpan(octets, at, framing);
  const content = octets.subarray(at + header, at + whole);
  if (content.length < 3 || (content[0] & 0xe0) !== 0xa0) return false;
  const end = berEnd(content);
  return end !== null && isFiller(content.subarray(end));
}
