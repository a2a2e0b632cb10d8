import type { Candidate, ContentType } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';
import { CDR_NODE_SUFFIX } from '../../rating/record/cdr-numbering.ts';
import type { BerValue } from './ber-value.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import type { CdrSubscriber } from './cdr-subscriber.ts';

/** A CDR of one kind, as flow records want it: what all of its records share, and what each container adds. */
export interface ReadCdr {
  common: Candidate;
  subscriber: CdrSubscriber;
  /** Its number at its node; text where it is none. */
  number: number | string | undefined;
  usages: Candidate[];
  /** Why its containers cannot be read. */
  fault?: Fault;
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

/** A container has no remote address: the unspecified one (RFC 4291, 2.5.2) is written instead, and is in no prefix. */
export const NO_ADDRESS = '::';
export const NO_REMOTE = { terminalPort: 0, remoteIp: NO_ADDRESS, remotePort: 0, protocol: 0 };

export function contentTypeOf(
  { contentTypes }: CdrMapping,
  serviceIdentifier: number | string | undefined,
  ratingGroup: number | string | undefined,
): ContentType | undefined {
  return contentTypes.serviceIdentifiers[String(serviceIdentifier)] ?? contentTypes.ratingGroups[String(ratingGroup)];
}

/** Opening of a CDR and its end after its duration: the times of what has none of its own. */
export interface CdrSpan {
  startTime: number | string | undefined;
  endTime: number | string | undefined;
}

/** A duration that cannot be read counts as none. */
export function spanOf(startTime: number | string | undefined, duration: number | string | undefined): CdrSpan {
  const isSpan = typeof startTime === 'number' && typeof duration === 'number' && duration > 0;
  return { startTime, endTime: isSpan ? startTime + duration * 1000 : startTime };
}

/** Times of a container: its own, else those of the CDR. `report` is when it was closed. */
export function containerTimes(
  first: number | string | undefined,
  last: number | string | undefined,
  report: number | string | undefined,
  span: CdrSpan,
): Candidate {
  const own = last ?? report;
  const startTime = first ?? own ?? span.startTime;
  const isAfter = typeof span.endTime === 'number' && typeof startTime === 'number' && span.endTime > startTime;
  return { startTime, endTime: own ?? (isAfter ? span.endTime : startTime) };
}

type Counted = number | string | undefined;

/**
 * Octets of a container. What the total has beyond the directions counts as downlink: the total is what is charged for. A
 * total below them is a fault. A container without any volume was metered by time or events: 0 octets.
 */
export function volumeFields(uplink: Counted, downlink: Counted, total: Counted): Candidate {
  const [uplinkOctets, downlinkOctets] = [uplink ?? 0, downlink ?? 0];
  const counted = { uplinkOctets, downlinkOctets };
  if (total === undefined || typeof uplinkOctets === 'string' || typeof downlinkOctets === 'string') return counted;
  if (uplinkOctets < 0 || downlinkOctets < 0) return counted;
  if (typeof total === 'string') return { ...counted, fault: invalidField('the total volume is no number') };
  if (total >= uplinkOctets + downlinkOctets) return { uplinkOctets, downlinkOctets: total - uplinkOctets };
  const detail = `the total volume ${total} is less than uplink ${uplinkOctets} and downlink ${downlinkOctets} together`;
  return { ...counted, fault: invalidField(detail) };
}

export function invalidField(detail: string): Fault {
  return { reason: 'invalid_field', detail };
}

/** A value that must have values inside and has octets instead. */
export function isDamaged(value: BerValue | undefined): boolean {
  return value !== undefined && value.values.length === 0 && value.octets.length > 0;
}
