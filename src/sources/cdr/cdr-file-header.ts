import { createHash } from 'node:crypto';
import { grouped } from '../../platform/telemetry/terminal-output.ts';

/** File header of TS 32.297, 6.1.1. */
export interface CdrFileHeader {
  /** As the header says; null where its writer has not filled it in. */
  fileOctets: number | null;
  headerBytes: number;
  /** Such as 15; the lowest and the highest of the CDRs. */
  releases: { low: number; high: number };
  /** As the header says; null where its writer has not filled it in. */
  cdrs: number | null;
  /** The node's number of the file. */
  fileSequenceNumber: number;
  closure: string;
  /** Of CDRs that the writer knows to have lost, in words. */
  lostCdrs: string;
  /** SHA-256 over what stays the same as long as the file is written: opening time, sequence number and address of the node. */
  identity: Buffer;
}

/** The file header cannot be read, or the file ends early: its records cannot be separated. */
export class CdrFileError extends Error {
  override readonly name = 'CdrFileError';
  readonly canRetry = false;
}

/** Up to the length of the routeing filter. */
export const FIXED_OCTETS = 50;
/** Two parts of 65535 octets with their lengths, and two octets of releases. */
const MAX_HEADER_OCTETS = FIXED_OCTETS + 65_535 + 2 + 65_535 + 2;
const UNKNOWN = 0xffffffff;
const CLOSURES: Readonly<Record<number, string>> = {
  0: 'normal',
  1: 'file size limit',
  2: 'file open time limit',
  3: 'limit of CDRs in a file',
  4: 'by hand',
  5: 'CDR release, version or encoding change',
  128: 'abnormal',
  129: 'file system error',
  130: 'file system storage exhausted',
  131: 'file integrity error',
};
/** The release identifier that an octet at the header's end extends. */
export const EXTENDED_RELEASE = 7;

/** How long the whole header is. Throws a CdrFileError if the octets do not begin as one. */
export function headerLength(octets: Buffer): number {
  if (octets.length < FIXED_OCTETS) {
    throw new CdrFileError(
      `has ${octets.length} octets: a CDR file (TS 32.297) begins with a header of ${FIXED_OCTETS} at least`,
    );
  }
  const length = octets.readUInt32BE(4);
  if (length >= FIXED_OCTETS && length <= MAX_HEADER_OCTETS) return length;
  throw new CdrFileError(
    `octets 5 to 8 say a header of ${length} octets, but that of a CDR file (TS 32.297) has ${FIXED_OCTETS} to ${MAX_HEADER_OCTETS}`,
  );
}

/** Reads a header of that length. Throws a CdrFileError that names the octets that contradict it. */
export function parseFileHeader(octets: Buffer): CdrFileHeader {
  const headerBytes = octets.length;
  const filterEnd = FIXED_OCTETS + octets.readUInt16BE(48);
  if (filterEnd > headerBytes) {
    throw new CdrFileError(
      `octets 49 and 50 say a routeing filter that ends at ${filterEnd}, past the header's ${headerBytes} octets`,
    );
  }
  const fileOctets = known(octets.readUInt32BE(0));
  if (fileOctets !== null && fileOctets < headerBytes) {
    throw new CdrFileError(`octets 1 to 4 say a file of ${fileOctets} octets, less than its header's ${headerBytes}`);
  }
  const closure = octets[26];
  return {
    fileOctets,
    headerBytes,
    releases: releasesOf(octets),
    cdrs: octets.readUInt32BE(18) === UNKNOWN ? null : octets.readUInt32BE(18),
    fileSequenceNumber: octets.readUInt32BE(22),
    closure: CLOSURES[closure] ?? `reason ${closure}`,
    lostCdrs: lostCdrs(octets[47]),
    identity: createHash('sha256')
      .update(octets.subarray(10, 14))
      .update(octets.subarray(22, 26))
      .update(octets.subarray(27, 47))
      .digest(),
  };
}

/** The header in words. */
export function describeFileHeader({ releases, fileSequenceNumber, cdrs, closure, lostCdrs }: CdrFileHeader): string {
  const release =
    releases.low === releases.high ? `release ${releases.low}` : `releases ${releases.low} to ${releases.high}`;
  const count = cdrs === null ? 'an unknown number of CDRs' : `${grouped(cdrs)} CDRs`;
  return `TS 32.297 file ${fileSequenceNumber} of its node, ${release}, ${count}, closure: ${closure}, ${lostCdrs}`;
}

function known(octets: number): number | null {
  return octets === 0 || octets === UNKNOWN ? null : octets;
}

/** Extensions of the release, where one needs it, are the header's last octets: the high one's first. */
function releasesOf(octets: Buffer): CdrFileHeader['releases'] {
  const [high, low] = [octets[8] >> 5, octets[9] >> 5];
  const lowExtension = octets[octets.length - 1];
  const highExtension = octets[octets.length - (low === EXTENDED_RELEASE ? 2 : 1)];
  return { low: releaseOf(low, lowExtension), high: releaseOf(high, highExtension) };
}

/** 0 is release 99, 1 is release 4, and so on; 7 is release 10 and what the extension adds. */
function releaseOf(identifier: number, extension: number): number {
  if (identifier === 0) return 99;
  return identifier === EXTENDED_RELEASE ? 10 + extension : identifier + 3;
}

function lostCdrs(indicator: number): string {
  if (indicator === 0) return 'no CDRs lost';
  if (indicator === 128) return 'an unknown number of CDRs lost';
  if (indicator < 128) return `${indicator} CDRs lost at least`;
  return indicator === 255 ? '127 CDRs lost at least' : `${indicator - 128} CDRs lost`;
}
