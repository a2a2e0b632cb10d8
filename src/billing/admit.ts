import type { Decoder } from './decoder.ts';
import { fingerprintOf, fingerprintOfDatum } from './fingerprint.ts';
import { type FlowBatch, NO_TAG } from './flow-batch.ts';
import { FlowFields, NODE_ID, SERVED_MSISDN, ZERO_RATING_TAG } from './flow-fields.ts';
import { CONTENT_TYPES, type FlowRecord } from './flow-record.ts';
import { parseIp } from './ip-address.ts';
import type { Lane } from './lane.ts';
import type { Fault } from './outcome.ts';
import type { Rules } from './rules.ts';
import { validateFlowRecord } from './validate.ts';

/** A record's place in its log, and where its key and value stand in `octets`, which may hold more than them. */
export interface Incoming {
  readonly offset: number;
  readonly octets: Uint8Array;
  /** -1 where the source has no keys. */
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** The true length of a record that was cut because it is above the limit; otherwise 0. */
  readonly oversizedOctets: number;
  /** A view of the value's octets. */
  readonly value: Uint8Array;
}

/** A value by itself. */
export function incoming(value: Uint8Array, offset = 0, oversizedOctets = 0): Incoming {
  const valueEnd = value.length;
  return { offset, octets: value, keyStart: -1, keyEnd: -1, valueStart: 0, valueEnd, oversizedOctets, value };
}

export interface Door {
  decode: Decoder;
  /** Records are keyed by MSISDN (Kafka); a record whose key is another one is counted. */
  keyedByMsisdn: boolean;
}

/** The record being read; one for all calls, as the hot path makes no objects. */
const fields = new FlowFields();

/** decode, validate, and take into the columns: the next row of the batch is this record, or its rejection. */
export function admit(batch: FlowBatch, incoming: Incoming, door: Door, lane: Lane, rules: Rules): void {
  const { octets, valueStart, valueEnd } = incoming;
  const row = batch.count++;
  batch.offset[row] = incoming.offset;
  batch.readOctets += valueEnd - valueStart;
  batch.keepValue(row, octets, valueStart, valueEnd);
  const { readFlow } = door.decode;
  if (incoming.oversizedOctets === 0 && readFlow?.(octets, valueStart, valueEnd, fields)) {
    if (door.keyedByMsisdn && !isKeyedByMsisdn(incoming, fields)) batch.keyMismatches++;
    takeFields(batch, row, lane, rules);
    return;
  }
  const record = readRecord(incoming, door.decode);
  if ('reason' in record) {
    batch.reject(row, record);
    return;
  }
  if (door.keyedByMsisdn && !isKeyedBy(incoming, record.servedMsisdn)) batch.keyMismatches++;
  take(batch, row, record, lane, rules);
}

/** A record, or the fault that keeps its bytes from being one. */
export function readRecord(
  { value, oversizedOctets }: Pick<Incoming, 'value' | 'oversizedOctets'>,
  decode: Decoder,
): FlowRecord | Fault {
  if (oversizedOctets > 0) {
    return { reason: 'oversized_record', detail: `the record has ${oversizedOctets} octets` };
  }
  const decoded = decode(value);
  return decoded.fault ?? validateFlowRecord(decoded.candidate);
}

function take(batch: FlowBatch, row: number, record: FlowRecord, lane: Lane, rules: Rules): void {
  batch.node[row] = lane.nodes.numberOf(record.nodeId);
  batch.localSequenceNumber[row] = record.localSequenceNumber;
  batch.fingerprint[row] = fingerprintOf(record);
  batch.subscriber[row] = lane.subscribers.ofMsisdn(record.servedMsisdn);
  batch.startTimeMs[row] = record.startTime;
  batch.endTimeMs[row] = record.endTime;
  parseIp(record.remoteIp, batch.remoteAddress, row * 4);
  batch.tagApplication[row] = rules.evidence.applicationOfTag(record.zeroRatingTag);
  batch.cdrApplication[row] = rules.evidence.applicationOfIdentities(record);
  batch.contentType[row] = CONTENT_TYPES.indexOf(record.contentType ?? 'unknown');
  batch.uplinkOctets[row] = record.uplinkOctets;
  batch.downlinkOctets[row] = record.downlinkOctets;
  batch.usageOctets += record.uplinkOctets + record.downlinkOctets;
}

/** The same from the record's octets. */
function takeFields(batch: FlowBatch, row: number, lane: Lane, { evidence }: Rules): void {
  const { octets, spans, remoteAddress } = fields;
  batch.node[row] = lane.nodes.numberOfOctets(octets, spans[NODE_ID * 2], spans[NODE_ID * 2 + 1]);
  batch.localSequenceNumber[row] = fields.localSequenceNumber;
  batch.fingerprint[row] = fingerprintOfDatum(octets, fields.datumStart, fields.datumEnd);
  batch.subscriber[row] = lane.subscribers.ofMsisdnKey(fields.msisdnKey);
  batch.startTimeMs[row] = fields.startTimeMs;
  batch.endTimeMs[row] = fields.endTimeMs;
  for (let word = 0; word < 4; word++) batch.remoteAddress[row * 4 + word] = remoteAddress[word];
  const tagStart = spans[ZERO_RATING_TAG * 2];
  batch.tagApplication[row] =
    tagStart < 0 ? NO_TAG : evidence.applicationOfTagOctets(octets, tagStart, spans[ZERO_RATING_TAG * 2 + 1]);
  if (fields.hasIdentities) batch.cdrApplication[row] = evidence.applicationOfIdentityOctets(fields);
  batch.contentType[row] = fields.contentType;
  batch.uplinkOctets[row] = fields.uplinkOctets;
  batch.downlinkOctets[row] = fields.downlinkOctets;
  batch.usageOctets += fields.uplinkOctets + fields.downlinkOctets;
}

function isKeyedByMsisdn({ octets, keyStart, keyEnd }: Incoming, { spans }: FlowFields): boolean {
  const start = spans[SERVED_MSISDN * 2];
  const length = spans[SERVED_MSISDN * 2 + 1] - start;
  if (keyStart < 0 || keyEnd - keyStart !== length) return false;
  for (let i = 0; i < length; i++) if (octets[keyStart + i] !== octets[start + i]) return false;
  return true;
}

function isKeyedBy({ octets, keyStart, keyEnd }: Incoming, msisdn: string): boolean {
  if (keyStart < 0 || keyEnd - keyStart !== msisdn.length) return false;
  for (let i = 0; i < msisdn.length; i++) if (octets[keyStart + i] !== msisdn.charCodeAt(i)) return false;
  return true;
}
