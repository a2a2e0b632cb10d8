import { CDR_NODE_SUFFIX } from '../billing/cdr-numbering.ts';
import type { Candidate } from '../billing/decoder.ts';
import type { ContentType } from '../billing/flow-record.ts';
import type { BerValue } from './ber.ts';

/** What a CDR does not say and an operator knows. */
export interface CdrMapping {
  /** Content types by service identifier, and by rating group where that says none. */
  contentTypes: {
    serviceIdentifiers: Readonly<Record<string, ContentType>>;
    ratingGroups: Readonly<Record<string, ContentType>>;
  };
}

export const NO_CDR_MAPPING: CdrMapping = { contentTypes: { serviceIdentifiers: {}, ratingGroups: {} } };

/** A CDR of one kind, as flow records want it: what all of its records share, and what each container adds. */
export interface ReadCdr {
  common: Candidate;
  /** Its number at its node; text where it is none. */
  number: number | string | undefined;
  usages: Candidate[];
  /** What a record says where there is no container. */
  unused: Candidate;
}

export type Fields = ReadonlyMap<number, BerValue>;

/** The first of each tag: a set, and a sequence of optional fields, have one. */
export function byTag({ values }: BerValue): Fields {
  const fields = new Map<number, BerValue>();
  for (const value of values) if (!fields.has(value.tag)) fields.set(value.tag, value);
  return fields;
}

/** Undefined where it is absent: the validation names it, or takes null. */
export function read<T>(fields: Fields, tag: number, as: (value: BerValue) => T): T | undefined {
  const value = fields.get(tag);
  return value === undefined ? undefined : as(value);
}

/** The values of a list. */
export function listOf(fields: Fields, tag: number): readonly BerValue[] {
  return fields.get(tag)?.values ?? [];
}

export function nodeOfCdrs(name: string | undefined): string | undefined {
  return name === undefined ? undefined : name + CDR_NODE_SUFFIX;
}

/** A container has no remote address: the unspecified one (RFC 4291, 2.5.2) stands for it, and lies in no prefix. */
export const NO_ADDRESS = '::';
export const NO_REMOTE = { terminalPort: 0, remoteIp: NO_ADDRESS, remotePort: 0, protocol: 0 };

export function contentTypeOf(
  { contentTypes }: CdrMapping,
  serviceIdentifier: number | string | undefined,
  ratingGroup: number | string | undefined,
): ContentType | undefined {
  return contentTypes.serviceIdentifiers[String(serviceIdentifier)] ?? contentTypes.ratingGroups[String(ratingGroup)];
}

/** A CDR that reports no use of a service lasted from its opening on. */
export function unusedSpan(startTime: number | string | undefined, duration: number | string = 0): Candidate {
  const isSpan = typeof startTime === 'number' && typeof duration === 'number';
  return { startTime, endTime: isSpan ? startTime + duration * 1000 : startTime, uplinkOctets: 0, downlinkOctets: 0 };
}
