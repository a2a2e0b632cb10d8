import type { Candidate } from '../billing/decoder.ts';
import type { BerValue } from './ber.ts';
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
import { addressOf, integerOf, textOf, timeOf } from './cdr-values.ts';

/** Tags of ChargingRecord, a SET (TS 32.298, CHFChargingDataTypes). */
const CDR = {
  recordingNetworkFunctionId: 1,
  subscriberIdentifier: 2,
  listOfMultipleUnitUsage: 5,
  recordOpeningTime: 6,
  duration: 7,
  recordSequenceNumber: 8,
  localRecordSequenceNumber: 11,
  pduSessionChargingInformation: 13,
} as const;

const SESSION = { chargingId: 0, userIdentifier: 1, pduAddress: 14 } as const;
const SUBSCRIPTION = { type: 0, data: 1 } as const;
/** eND-USER-IMSI of SubscriptionIDType. */
const IMSI = 1;
const UNIT_USAGE = { ratingGroup: 0, usedUnitContainers: 1 } as const;

/** Tags of UsedUnitContainer and of the PDUContainerInformation inside of it. */
const CONTAINER = {
  serviceIdentifier: 0,
  triggerTimeStamp: 3,
  dataTotalVolume: 4,
  dataVolumeUplink: 5,
  dataVolumeDownlink: 6,
  pduContainerInformation: 11,
} as const;
const PDU = { timeOfFirstUsage: 2, timeOfLastUsage: 3, sponsorIdentity: 8, aspIdentity: 9 } as const;

const NONE: Fields = new Map();

/** Reads a CHF-CDR of a PDU session: its used unit containers, rating group by rating group. */
export function readChfCdr(fields: Fields, mapping: CdrMapping): ReadCdr {
  const session = read(fields, CDR.pduSessionChargingInformation, byTag) ?? NONE;
  return {
    common: {
      nodeId: nodeOfCdrs(read(fields, CDR.recordingNetworkFunctionId, textOf)),
      chargingId: read(session, SESSION.chargingId, integerOf),
      recordSequenceNumber: read(fields, CDR.recordSequenceNumber, integerOf) ?? 0,
      servedMsisdn: read(session, SESSION.userIdentifier, numberOf),
      servedImsi: read(fields, CDR.subscriberIdentifier, imsiOf),
      terminalIp: read(session, SESSION.pduAddress, addressOf) ?? NO_ADDRESS,
      ...NO_REMOTE,
    },
    number: read(fields, CDR.localRecordSequenceNumber, integerOf),
    usages: listOf(fields, CDR.listOfMultipleUnitUsage).flatMap((unitUsage) => usagesOf(byTag(unitUsage), mapping)),
    unused: unusedSpan(read(fields, CDR.recordOpeningTime, timeOf), read(fields, CDR.duration, integerOf)),
  };
}

function usagesOf(unitUsage: Fields, mapping: CdrMapping): Candidate[] {
  const ratingGroup = read(unitUsage, UNIT_USAGE.ratingGroup, integerOf);
  return listOf(unitUsage, UNIT_USAGE.usedUnitContainers).map((value) => {
    const container = byTag(value);
    const pdu = read(container, CONTAINER.pduContainerInformation, byTag) ?? NONE;
    const serviceIdentifier = read(container, CONTAINER.serviceIdentifier, integerOf);
    const endTime = read(pdu, PDU.timeOfLastUsage, timeOf) ?? read(container, CONTAINER.triggerTimeStamp, timeOf);
    return {
      startTime: read(pdu, PDU.timeOfFirstUsage, timeOf) ?? endTime,
      endTime,
      contentType: contentTypeOf(mapping, serviceIdentifier, ratingGroup),
      ratingGroup,
      serviceIdentifier,
      ...octetsOf(container),
      sponsorIdentity: read(pdu, PDU.sponsorIdentity, textOf),
      applicationServiceProviderIdentity: read(pdu, PDU.aspIdentity, textOf),
    };
  });
}

/** Where only the sum was counted, it counts as downlink: what is charged is the sum. */
function octetsOf(container: Fields): Candidate {
  const uplink = read(container, CONTAINER.dataVolumeUplink, integerOf);
  const downlink = read(container, CONTAINER.dataVolumeDownlink, integerOf);
  const isCounted = uplink !== undefined || downlink !== undefined;
  const total = isCounted ? 0 : (read(container, CONTAINER.dataTotalVolume, integerOf) ?? 0);
  return { uplinkOctets: uplink ?? 0, downlinkOctets: downlink ?? total };
}

/** InvolvedParty is a choice: the number in letters, or a tel URI of it. */
function numberOf({ values: [party] }: BerValue): string | undefined {
  return party === undefined ? undefined : textOf(party).replace(/^(tel:|msisdn-)?\+?/, '');
}

function imsiOf(subscription: BerValue): string | undefined {
  const fields = byTag(subscription);
  return read(fields, SUBSCRIPTION.type, integerOf) === IMSI
    ? read(fields, SUBSCRIPTION.data, textOf)?.replace(/^imsi-/, '')
    : undefined;
}
