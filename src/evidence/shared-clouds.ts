import { readFileSync } from 'node:fs';
import { type DocumentFault, formatFault } from '../formats/document-fault.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import type { ReadAddressList } from './forms/address-list.ts';
import { readAwsIpRanges } from './forms/aws-ip-ranges.ts';
import { readCidrList } from './forms/cidr-list.ts';
import { readGoogleIpRanges } from './forms/google-ip-ranges.ts';

/** A network whose addresses a cloud gives to one tenant after the other. */
export interface CloudRange {
  /** CIDR text. */
  prefix: string;
  /** The file that names it. */
  file: string;
}

/**
 * Reads lists of shared clouds: a network a line, or JSON as Amazon's ip-ranges.json and Google's cloud.json. Throws a ConfigError with a
 * line for each fault.
 */
export function readSharedClouds(files: readonly string[]): CloudRange[] {
  const faults: DocumentFault[] = [];
  const ranges = files.flatMap((file) => {
    const read = readList(file);
    if (read.faults === undefined) return read.list.prefixes.map((prefix) => ({ prefix, file }));
    faults.push(...read.faults);
    return [];
  });
  if (faults.length > 0) throw new ConfigError(faults.map(formatFault));
  return ranges;
}

/** The names of their times are in no other form. */
function readList(file: string): ReadAddressList {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}; name a list of a shared cloud`;
    return { faults: [{ file, line: null, path: '', message }] };
  }
  if (!text.trimStart().startsWith('{')) return readCidrList(text, file);
  return text.includes('"creationTime"') ? readGoogleIpRanges(text, file, {}) : readAwsIpRanges(text, file, {});
}
