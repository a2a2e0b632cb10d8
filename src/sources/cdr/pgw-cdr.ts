import type { Candidate } from '../../rating/flow-record.ts';
import type { BerValue } from './ber-value.ts';
import {
  byTag,
  type CdrSpan,
  containerTimes,
  contentTypeOf,
  type Fields,
  invalidField,
  isDamaged,
  listOf,
  NO_ADDRESS,
  NO_REMOTE,
  nodeOfCdrs,
  type ReadCdr,
  read,
  spanOf,
  volumeFields,
} from './cdr-fields.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { type NetworkFields, networkFields, plmnOf, ratTypeOf, trackingAreaOf } from './cdr-network.ts';
import { msisdnOf } from './cdr-subscriber.ts';
import { addressOf, contentOf, digitsOf, integerOf, textOf, timeOf } from './cdr-values.ts';

/** Tags of PGWRecord, a SET (TS 32.298, GPRSChargingDataTypes). */
const CDR = {
  servedImsi: 3,
  pgwAddress: 4,
  chargingId: 5,
  servedAddress: 9,
  listOfTrafficVolumes: 12,
  recordOpeningTime: 13,
  duration: 14,
  recordSequenceNumber: 17,
  nodeId: 18,
  localSequenceNumber: 20,
  servedMsisdn: 22,
  servingNodePlmnIdentifier: 27,
  ratType: 30,
  userLocationInformation: 32,
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
  userLocationInformation: 20,
  sponsorIdentity: 25,
  aspIdentity: 26,
  ratType: 30,
} as const;

/** Tags of ChangeOfCharCondition. */
const VOLUME = { uplink: 3, downlink: 4 } as const;

/** Reads a PGW-CDR. */
export function readPgwCdr(fields: Fields, mapping: CdrMapping): ReadCdr {
  const cdr = readSgwCdr(fields, mapping);
  const span = spanOfCdr(fields);
  const network = networkOf(fields);
  const usages = listOf(fields, CDR.listOfServiceData).map((container) => usageOf(container, mapping, span, network));
  if (isDamaged(fields.get(CDR.listOfServiceData)))
    return { ...cdr, fault: invalidField('listOfServiceData is damaged') };
  if (usages.length === 0 && hasTraffic(fields)) {
    const detail =
      'listOfServiceData is missing, but listOfTrafficVolumes counts octets: no service of theirs is known';
    return { ...cdr, fault: { reason: 'missing_field', detail } };
  }
  return { ...cdr, usages };
}

/** Reads an SGW-CDR: it has the tags of a PGW-CDR for what is read of both, and no service data. */
export function readSgwCdr(fields: Fields, mapping: CdrMapping): ReadCdr {
  return {
    common: {
      nodeId: nodeOfCdrs(read(fields, CDR.nodeId, textOf) ?? read(fields, CDR.pgwAddress, addressOf)),
      chargingId: read(fields, CDR.chargingId, integerOf),
      // Absent where the session has one CDR only.
      recordSequenceNumber: read(fields, CDR.recordSequenceNumber, integerOf) ?? 0,
      terminalIp: read(fields, CDR.servedAddress, addressOf) ?? NO_ADDRESS,
      ...NO_REMOTE,
    },
    subscriber: {
      msisdn: read(fields, CDR.servedMsisdn, (value) => msisdnOf(contentOf(value), mapping)),
      imsi: read(fields, CDR.servedImsi, digitsOf),
    },
    number: read(fields, CDR.localSequenceNumber, integerOf),
    usages: [],
    unused: {
      ...spanOfCdr(fields),
      uplinkOctets: 0,
      downlinkOctets: 0,
      ...networkFields(mapping, networkOf(fields), {}),
    },
  };
}

function networkOf(fields: Fields): NetworkFields {
  return {
    servingPlmn: read(fields, CDR.servingNodePlmnIdentifier, plmnOf),
    ratType: read(fields, CDR.ratType, ratTypeOf),
    trackingArea: read(fields, CDR.userLocationInformation, trackingAreaOf),
  };
}

function spanOfCdr(fields: Fields): CdrSpan {
  return spanOf(read(fields, CDR.recordOpeningTime, timeOf), read(fields, CDR.duration, integerOf));
}

function hasTraffic(fields: Fields): boolean {
  return listOf(fields, CDR.listOfTrafficVolumes).some((condition) =>
    [VOLUME.uplink, VOLUME.downlink].some((tag) => (read(byTag(condition), tag, integerOf) ?? 0) !== 0),
  );
}

function usageOf(value: BerValue, mapping: CdrMapping, span: CdrSpan, network: NetworkFields): Candidate {
  const container = byTag(value);
  const ratingGroup = read(container, CONTAINER.ratingGroup, integerOf);
  const serviceIdentifier = read(container, CONTAINER.serviceIdentifier, integerOf);
  const own = {
    ratType: read(container, CONTAINER.ratType, ratTypeOf),
    trackingArea: read(container, CONTAINER.userLocationInformation, trackingAreaOf),
  };
  return {
    ...containerTimes(
      read(container, CONTAINER.timeOfFirstUsage, timeOf),
      read(container, CONTAINER.timeOfLastUsage, timeOf),
      read(container, CONTAINER.timeOfReport, timeOf),
      span,
    ),
    contentType: contentTypeOf(mapping, serviceIdentifier, ratingGroup),
    ratingGroup,
    serviceIdentifier,
    ...volumeFields(
      read(container, CONTAINER.datavolumeFbcUplink, integerOf),
      read(container, CONTAINER.datavolumeFbcDownlink, integerOf),
      undefined,
    ),
    sponsorIdentity: read(container, CONTAINER.sponsorIdentity, textOf),
    applicationServiceProviderIdentity: read(container, CONTAINER.aspIdentity, textOf),
    ...networkFields(mapping, own, network),
    ...(value.values.length === 0 && { fault: invalidField('the container is damaged or empty') }),
  };
}
