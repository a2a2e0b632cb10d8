import type { BatchRow } from '../../journal/evidence/evidence.ts';
import { CONTENT_TYPES, type FlowRecord, NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import type { BookedCharge, BookedRecord, ChargeStep } from './correction-steps.ts';

/** A record of the source that the journal has no charge of, and its batch. */
export interface FirstCharged {
  read: FlowRecord;
  batch: Pick<BatchRow, 'lane' | 'bookingDay'>;
}

/**
 * Returns how a correction's rows about a record differ from those that it must have: nothing where the charge is as before, else a
 * reversal of the charge before, if there was one, and the charge after, if there is one. Null: they do not differ. `first`: a record whose
 * charge has the record's own fields.
 */
export function correctionDifference(
  before: BookedCharge | null,
  after: BookedCharge | null,
  own: readonly ChargeStep[],
  first: FirstCharged | null = null,
): string | null {
  const [reversals, charges] = [true, false].map((isReversal) => own.filter((step) => step.isReversal === isReversal));
  if (before === after || (before !== null && after !== null && fieldDifferences(before, after).length === 0)) {
    if (own.length === 0) return null;
    const changed = before === null || charges.length !== 1 ? [] : fieldDifferences(charges[0].charge, before);
    return ['it is changed, and computed again it is as before', ...changed].join('; ');
  }
  if (own.length === 0) return `it is not changed, and computed again it ${inWords(after)}`;
  const differences: string[] = [];
  if (reversals.length !== (before === null ? 0 : 1))
    differences.push(`${reversals.length} reversals, computed again ${before === null ? 0 : 1}`);
  if (charges.length !== (after === null ? 0 : 1))
    differences.push(`${charges.length} charges, and computed again it ${inWords(after)}`);
  else if (after !== null) {
    differences.push(...fieldDifferences(charges[0].charge, after));
    differences.push(...fieldDifferences(charges[0].record ?? NO_FIELDS, first === null ? NO_FIELDS : fieldsOf(first)));
  }
  return differences.length === 0 ? null : differences.join('; ');
}

/** Returns the record as far as the rows before a correction have it; null where they do not have its fields. */
export function recordOfRows(steps: readonly ChargeStep[], number: number): FlowRecord | null {
  const step = steps.findLast((each) => each.number < number && each.record !== null);
  if (step?.record == null) return null;
  const { charge, record } = step;
  return {
    ...UNKNOWN,
    nodeId: record.nodeId,
    localSequenceNumber: Number(record.localSequenceNumber),
    startTime: charge.startTime,
    endTime: record.endTime,
    contentType: CONTENT_TYPES.find((type) => type === charge.contentType) ?? null,
    uplinkOctets: Number(record.uplinkOctets),
    downlinkOctets: Number(record.downlinkOctets),
  };
}

/** What no row keeps of a record: re-rating of rows does not ask for it. */
const UNKNOWN = {
  ...NO_LATER_FIELDS,
  chargingId: 0,
  recordSequenceNumber: 0,
  servedMsisdn: '',
  servedImsi: null,
  terminalIp: '',
  terminalPort: 0,
  remoteIp: '',
  remotePort: 0,
  protocol: 0,
  zeroRatingTag: null,
  ratingGroup: null,
  serviceIdentifier: null,
  sponsorIdentity: null,
  applicationServiceProviderIdentity: null,
} satisfies Partial<FlowRecord>;

const NO_FIELDS: BookedRecord = {
  lane: '',
  recordBookedOn: 0,
  endTime: 0,
  nodeId: '',
  localSequenceNumber: 0n,
  uplinkOctets: 0n,
  downlinkOctets: 0n,
};

function fieldsOf({ read, batch }: FirstCharged): BookedRecord {
  return {
    lane: batch.lane,
    recordBookedOn: batch.bookingDay,
    endTime: read.endTime,
    nodeId: read.nodeId,
    localSequenceNumber: BigInt(read.localSequenceNumber),
    uplinkOctets: BigInt(read.uplinkOctets),
    downlinkOctets: BigInt(read.downlinkOctets),
  };
}

function fieldDifferences<T extends BookedCharge | BookedRecord>(booked: T, computed: T): string[] {
  const names = Object.keys(computed) as (keyof T & string)[];
  return names
    .filter((name) => booked[name] !== computed[name])
    .map((name) => `${columnOf(name)} ${booked[name]}, computed again ${computed[name]}`);
}

function columnOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function inWords(charge: BookedCharge | null): string {
  if (charge === null) return 'has no charge';
  const { applicationId, planId, planVersion, reason, sponsoredOctets, chargeMicros, currency } = charge;
  return (
    `is charged to ${applicationId} by plan ${planId} version ${planVersion}, ${reason}: ` +
    `${sponsoredOctets} octets for ${chargeMicros} micro-units of ${currency}`
  );
}
