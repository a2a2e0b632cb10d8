import type { Candidate } from '../billing/decoder.ts';
import {
  byTag,
  type CdrMapping,
  contentTypeOf,
  type Fields,
  listOf,
  NO_ADDRESS,
  NO_REMOTE,
  nodeOfCdrs,
  type ReadCdr,
  read,
  unusedSpan,
} from './cdr-fields.ts';
import { addressOf, digitsOf, integerOf, msisdnOf, textOf, timeOf } from './cdr-values.ts';

/** Tags of PGWRecord, a SET (TS 32.298, GPRSChargingDataTypes). */
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

/** Reads a PGW-CDR. */
export function readPgwCdr(fields: Fields, mapping: CdrMapping): ReadCdr {
  const usages = listOf(fields, CDR.listOfServiceData).map((container) => usageOf(byTag(container), mapping));
  return { ...readSgwCdr(fields), usages };
}

/** Reads an SGW-CDR: it has the tags of a PGW-CDR for what is read of both, and no service data. */
export function readSgwCdr(fields: Fields): ReadCdr {
  return {
    common: {
      nodeId: nodeOfCdrs(read(fields, CDR.nodeId, textOf) ?? read(fields, CDR.pgwAddress, addressOf)),
      chargingId: read(fields, CDR.chargingId, integerOf),
      // Absent where the session has one CDR only.
      recordSequenceNumber: read(fields, CDR.recordSequenceNumber, integerOf) ?? 0,
      servedMsisdn: read(fields, CDR.servedMsisdn, msisdnOf),
      servedImsi: read(fields, CDR.servedImsi, digitsOf),
      terminalIp: read(fields, CDR.servedAddress, addressOf) ?? NO_ADDRESS,
      ...NO_REMOTE,
    },
    number: read(fields, CDR.localSequenceNumber, integerOf),
    usages: [],
    unused: unusedSpan(read(fields, CDR.recordOpeningTime, timeOf), read(fields, CDR.duration, integerOf)),
  };
}

function usageOf(container: Fields, mapping: CdrMapping): Candidate {
  const ratingGroup = read(container, CONTAINER.ratingGroup, integerOf);
  const serviceIdentifier = read(container, CONTAINER.serviceIdentifier, integerOf);
  const timeOfReport = read(container, CONTAINER.timeOfReport, timeOf);
  const timeOfLastUsage = read(container, CONTAINER.timeOfLastUsage, timeOf) ?? timeOfReport;
  return {
    startTime: read(container, CONTAINER.timeOfFirstUsage, timeOf) ?? timeOfLastUsage,
    endTime: timeOfLastUsage,
    contentType: contentTypeOf(mapping, serviceIdentifier, ratingGroup),
    ratingGroup,
    serviceIdentifier,
    // Absent where nothing was counted in octets.
    uplinkOctets: read(container, CONTAINER.datavolumeFbcUplink, integerOf) ?? 0,
    downlinkOctets: read(container, CONTAINER.datavolumeFbcDownlink, integerOf) ?? 0,
    sponsorIdentity: read(container, CONTAINER.sponsorIdentity, textOf),
    applicationServiceProviderIdentity: read(container, CONTAINER.aspIdentity, textOf),
  };
}
