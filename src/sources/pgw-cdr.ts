import { CDR_NODE_SUFFIX, RECORDS_PER_CDR } from '../billing/cdr-numbering.ts';
import type { Candidate } from '../billing/decoder.ts';
import type { ContentType } from '../billing/flow-record.ts';
import { type BerValue, readBer } from './ber.ts';
import { addressOf, digitsOf, integerOf, msisdnOf, textOf, timeOf } from './cdr-values.ts';

/** What a CDR does not say and an operator knows. */
export interface CdrMapping {
  /** Content types by service identifier, and by rating group where that says none. */
  contentTypes: {
    serviceIdentifiers: Readonly<Record<string, ContentType>>;
    ratingGroups: Readonly<Record<string, ContentType>>;
  };
}

export const NO_CDR_MAPPING: CdrMapping = { contentTypes: { serviceIdentifiers: {}, ratingGroups: {} } };

/** Tags of GPRSRecord (TS 32.298). Both have the same tags for what is read here; an SGW-CDR has no service data. */
const SGW_RECORD = 78;
const PGW_RECORD = 79;

/** Tags of PGWRecord, a SET. */
const CDR = {
  servedImsi: 3,
  pgwAddress: 4,
  chargingId: 5,
  servedAddress: 9,
  recordOpeningTime: 13,
  duration: 14,
  recordSequenceNumber: 17,
  nodeId: 18,
  localSequenceNumber: 20,
  servedMsisdn: 22,
  listOfServiceData: 34,
} as const;

/** Tags of ChangeOfServiceCondition, a SEQUENCE: a service data container. */
const CONTAINER = {
  ratingGroup: 1,
  timeOfFirstUsage: 5,
  timeOfLastUsage: 6,
  datavolumeFbcUplink: 12,
  datavolumeFbcDownlink: 13,
  timeOfReport: 14,
  serviceIdentifier: 17,
  sponsorIdentity: 25,
  aspIdentity: 26,
} as const;

/** A container has no remote address: the unspecified one (RFC 4291, 2.5.2) stands for it, and lies in no prefix. */
const NO_ADDRESS = '::';

/**
 * The flow records of one CDR, as `docs/cdr.md` maps them: one for each service data container; for a CDR without any, one
 * of 0 octets, so that its number is not missing. A text says why the octets are no CDR. Never throws.
 */
export function pgwFlowRecords(octets: Uint8Array, mapping: CdrMapping): Candidate[] | string {
  const record = readBer(octets);
  if (typeof record === 'string') return record;
  if (record.tag !== PGW_RECORD && record.tag !== SGW_RECORD)
    return `no PGW-CDR: its tag is ${record.tag}, not ${PGW_RECORD}`;
  const fields = byTag(record);
  const containers = record.tag === PGW_RECORD ? (fields.get(CDR.listOfServiceData)?.values ?? []) : [];
  if (containers.length >= RECORDS_PER_CDR) return `${containers.length} service data containers`;
  const common = commonFields(fields);
  if (containers.length === 0) return [{ ...common, ...numbered(fields, 0), ...unused(fields) }];
  return containers.map((container, i) => ({
    ...common,
    ...numbered(fields, i + 1),
    ...usage(byTag(container), mapping),
  }));
}

type Fields = ReadonlyMap<number, BerValue>;

/** The first of each tag: a set has one. */
function byTag({ values }: BerValue): Fields {
  const fields = new Map<number, BerValue>();
  for (const value of values) if (!fields.has(value.tag)) fields.set(value.tag, value);
  return fields;
}

/** Undefined where it is absent: the validation names it, or takes null. */
function read<T>(fields: Fields, tag: number, as: (value: BerValue) => T): T | undefined {
  const value = fields.get(tag);
  return value === undefined ? undefined : as(value);
}

function numbered(fields: Fields, place: number): Candidate {
  const number = read(fields, CDR.localSequenceNumber, integerOf);
  return { localSequenceNumber: typeof number === 'number' ? number * RECORDS_PER_CDR + place : number };
}

function commonFields(fields: Fields): Candidate {
  const node = read(fields, CDR.nodeId, textOf) ?? read(fields, CDR.pgwAddress, addressOf);
  return {
    nodeId: node === undefined ? undefined : node + CDR_NODE_SUFFIX,
    chargingId: read(fields, CDR.chargingId, integerOf),
    // Absent where the session has one CDR only.
    recordSequenceNumber: read(fields, CDR.recordSequenceNumber, integerOf) ?? 0,
    servedMsisdn: read(fields, CDR.servedMsisdn, msisdnOf),
    servedImsi: read(fields, CDR.servedImsi, digitsOf),
    terminalIp: read(fields, CDR.servedAddress, addressOf) ?? NO_ADDRESS,
    terminalPort: 0,
    remoteIp: NO_ADDRESS,
    remotePort: 0,
    protocol: 0,
  };
}

function usage(container: Fields, { contentTypes }: CdrMapping): Candidate {
  const ratingGroup = read(container, CONTAINER.ratingGroup, integerOf);
  const serviceIdentifier = read(container, CONTAINER.serviceIdentifier, integerOf);
  const timeOfReport = read(container, CONTAINER.timeOfReport, timeOf);
  const timeOfLastUsage = read(container, CONTAINER.timeOfLastUsage, timeOf) ?? timeOfReport;
  return {
    startTime: read(container, CONTAINER.timeOfFirstUsage, timeOf) ?? timeOfLastUsage,
    endTime: timeOfLastUsage,
    contentType:
      contentTypes.serviceIdentifiers[String(serviceIdentifier)] ?? contentTypes.ratingGroups[String(ratingGroup)],
    ratingGroup,
    serviceIdentifier,
    // Absent where nothing was counted in octets.
    uplinkOctets: read(container, CONTAINER.datavolumeFbcUplink, integerOf) ?? 0,
    downlinkOctets: read(container, CONTAINER.datavolumeFbcDownlink, integerOf) ?? 0,
    sponsorIdentity: read(container, CONTAINER.sponsorIdentity, textOf),
    applicationServiceProviderIdentity: read(container, CONTAINER.aspIdentity, textOf),
  };
}

/** A CDR that reports no use of a service. */
function unused(fields: Fields): Candidate {
  const startTime = read(fields, CDR.recordOpeningTime, timeOf);
  const duration = read(fields, CDR.duration, integerOf) ?? 0;
  const isSpan = typeof startTime === 'number' && typeof duration === 'number';
  return { startTime, endTime: isSpan ? startTime + duration * 1000 : startTime, uplinkOctets: 0, downlinkOctets: 0 };
}
