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
import {
  type NetworkFields,
  networkFields,
  plmnOf,
  ratTypeOf,
  structuredTrackingAreaOf,
  trackingAreaOf,
} from './cdr-network.ts';
import { type CdrSubscriber, msisdnOfText } from './cdr-subscriber.ts';
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

const SESSION = {
  chargingId: 0,
  userIdentifier: 1,
  userLocationInformation: 3,
  servingNetworkFunctionId: 11,
  ratType: 12,
  pduAddress: 14,
  servingCnPlmnId: 27,
  userLocationInformationAsn1: 35,
} as const;
const SUBSCRIPTION = { type: 0, data: 1 } as const;
/** eND-USER-E164 and eND-USER-IMSI of SubscriptionIDType. */
const E164 = 0;
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
const PDU = {
  timeOfFirstUsage: 2,
  timeOfLastUsage: 3,
  userLocationInformation: 5,
  ratType: 7,
  sponsorIdentity: 8,
  aspIdentity: 9,
  servingNetworkFunctionId: 10,
  userLocationInformationAsn1: 18,
} as const;
/** Of ServingNetworkFunctionID and the NetworkFunctionInformation inside of it. */
const SERVING = { information: 0, plmnIdentifier: 3 } as const;

const NONE: Fields = new Map();

/** Reads a CHF-CDR of a PDU session: its used unit containers, rating group by rating group. */
export function readChfCdr(fields: Fields, mapping: CdrMapping): ReadCdr {
  const span = spanOf(read(fields, CDR.recordOpeningTime, timeOf), read(fields, CDR.duration, integerOf));
  const session = read(fields, CDR.pduSessionChargingInformation, byTag) ?? NONE;
  const network = {
    ...networkOf(session, SESSION),
    servingPlmn: read(session, SESSION.servingCnPlmnId, plmnOf) ?? servingPlmnOf(session, SESSION),
  };
  return {
    common: {
      nodeId: nodeOfCdrs(read(fields, CDR.recordingNetworkFunctionId, textOf)),
      chargingId: read(session, SESSION.chargingId, integerOf),
      recordSequenceNumber: read(fields, CDR.recordSequenceNumber, integerOf) ?? 0,
      terminalIp: read(session, SESSION.pduAddress, addressOf) ?? NO_ADDRESS,
      ...NO_REMOTE,
    },
    subscriber: subscriberOf(fields, session),
    number: read(fields, CDR.localRecordSequenceNumber, integerOf),
    usages: listOf(fields, CDR.listOfMultipleUnitUsage).flatMap((unitUsage) =>
      usagesOf(unitUsage, mapping, span, network),
    ),
    ...(isDamaged(fields.get(CDR.listOfMultipleUnitUsage)) && {
      fault: invalidField('listOfMultipleUnitUsage is damaged'),
    }),
    unused: { ...span, uplinkOctets: 0, downlinkOctets: 0, ...networkFields(mapping, network, {}) },
  };
}

/** Of a session, or of a container: each has the same fields, by tags of its own. */
function networkOf(fields: Fields, tags: typeof SESSION | typeof PDU): NetworkFields {
  return {
    servingPlmn: servingPlmnOf(fields, tags),
    ratType: read(fields, tags.ratType, ratTypeOf),
    trackingArea:
      read(fields, tags.userLocationInformationAsn1, structuredTrackingAreaOf) ??
      read(fields, tags.userLocationInformation, trackingAreaOf),
  };
}

/** The PLMN of the first serving network function that names one. */
function servingPlmnOf(fields: Fields, tags: typeof SESSION | typeof PDU): string | undefined {
  const plmns = listOf(fields, tags.servingNetworkFunctionId).map((serving) =>
    read(read(byTag(serving), SERVING.information, byTag) ?? NONE, SERVING.plmnIdentifier, plmnOf),
  );
  return plmns.find((plmn) => plmn !== undefined);
}

function usagesOf(value: BerValue, mapping: CdrMapping, span: CdrSpan, network: NetworkFields): Candidate[] {
  const unitUsage = byTag(value);
  if (isDamaged(value) || isDamaged(unitUsage.get(UNIT_USAGE.usedUnitContainers)))
    return [{ ...span, fault: invalidField('a MultipleUnitUsage is damaged') }];
  const ratingGroup = read(unitUsage, UNIT_USAGE.ratingGroup, integerOf);
  return listOf(unitUsage, UNIT_USAGE.usedUnitContainers).map((value) => {
    const container = byTag(value);
    const pdu = read(container, CONTAINER.pduContainerInformation, byTag) ?? NONE;
    const serviceIdentifier = read(container, CONTAINER.serviceIdentifier, integerOf);
    return {
      ...containerTimes(
        read(pdu, PDU.timeOfFirstUsage, timeOf),
        read(pdu, PDU.timeOfLastUsage, timeOf),
        read(container, CONTAINER.triggerTimeStamp, timeOf),
        span,
      ),
      contentType: contentTypeOf(mapping, serviceIdentifier, ratingGroup),
      ratingGroup,
      serviceIdentifier,
      ...volumeFields(
        read(container, CONTAINER.dataVolumeUplink, integerOf),
        read(container, CONTAINER.dataVolumeDownlink, integerOf),
        read(container, CONTAINER.dataTotalVolume, integerOf),
      ),
      sponsorIdentity: read(pdu, PDU.sponsorIdentity, textOf),
      applicationServiceProviderIdentity: read(pdu, PDU.aspIdentity, textOf),
      ...networkFields(mapping, networkOf(pdu, PDU), network),
      ...((value.values.length === 0 || isDamaged(container.get(CONTAINER.pduContainerInformation))) && {
        fault: invalidField('the used unit container is damaged or empty'),
      }),
    };
  });
}

/** InvolvedParty is a choice; each of them is a text. */
function partyOf(party: BerValue): string {
  const [value] = party.values;
  return textOf(value ?? party);
}

/** By SubscriptionIDType, or by the prefix of a SUPI or GPSI. */
function subscriberOf(fields: Fields, session: Fields): CdrSubscriber {
  const subscription = read(fields, CDR.subscriberIdentifier, byTag) ?? NONE;
  const type = read(subscription, SUBSCRIPTION.type, integerOf);
  const data = read(subscription, SUBSCRIPTION.data, textOf) ?? '';
  const isImsi = data.startsWith('imsi-') || (type === IMSI && /^\d+$/.test(data));
  const isMsisdn = !isImsi && data !== '' && (type === E164 || data.startsWith('msisdn-'));
  return {
    msisdn:
      read(session, SESSION.userIdentifier, (party) => msisdnOfText(partyOf(party))) ??
      (isMsisdn ? msisdnOfText(data) : undefined),
    imsi: isImsi ? data.replace(/^imsi-/, '') : undefined,
  };
}
