import type { Decoder } from './decoder.ts';
import { fingerprintOf, fingerprintOfFields } from './fingerprint.ts';
import { type FlowBatch, NO_TAG } from './flow-batch.ts';
import { FlowFields, NODE_ID, SERVED_MSISDN, ZERO_RATING_TAG } from './flow-fields.ts';
import { CONTENT_TYPES, type FlowRecord } from './flow-record.ts';
import { parseIp } from './ip-address.ts';
import type { Lane } from './lane.ts';
import type { Fault } from './outcome.ts';
import type { Rules } from './rules.ts';
import { validateFlowRecord } from './validate.ts';

/** A record's bytes and their place in the log. */
export interface Incoming {
  offset: number;
  /** The message's key; null where the source has none. */
  key: Uint8Array | null;
  value: Uint8Array;
  /** The true length of a record that was cut because it is above the limit. */
  oversizedOctets?: number;
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
  const row = batch.count++;
  batch.offset[row] = incoming.offset;
  batch.readOctets += incoming.value.length;
  batch.keepValue(row, incoming.value);
  const { readFlow } = door.decode;
  if (incoming.oversizedOctets === undefined && readFlow?.(incoming.value, fields)) {
    if (door.keyedByMsisdn && !isMsisdn(incoming.key, fields)) batch.keyMismatches++;
    takeFields(batch, row, lane, rules);
    return;
  }
  const record = readRecord(incoming, door.decode);
  if ('reason' in record) {
    batch.reject(row, record);
    return;
  }
  if (door.keyedByMsisdn && !isKey(incoming.key, record.servedMsisdn)) batch.keyMismatches++;
  take(batch, row, record, lane, rules);
}

/** A record, or the fault that keeps its bytes from being one. */
export function readRecord({ value, oversizedOctets }: Incoming, decode: Decoder): FlowRecord | Fault {
  if (oversizedOctets !== undefined) {
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
  batch.fingerprint[row] = fingerprintOfFields(fields);
  batch.subscriber[row] = lane.subscribers.ofMsisdnKey(fields.msisdnKey);
  batch.startTimeMs[row] = fields.startTimeMs;
  batch.endTimeMs[row] = fields.endTimeMs;
  for (let word = 0; word < 4; word++) batch.remoteAddress[row * 4 + word] = remoteAddress[word];
  const tagStart = spans[ZERO_RATING_TAG * 2];
  batch.tagApplication[row] =
    tagStart < 0 ? NO_TAG : evidence.applicationOfTagOctets(octets, tagStart, spans[ZERO_RATING_TAG * 2 + 1]);
  batch.contentType[row] = fields.contentType;
  batch.uplinkOctets[row] = fields.uplinkOctets;
  batch.downlinkOctets[row] = fields.downlinkOctets;
  batch.usageOctets += fields.uplinkOctets + fields.downlinkOctets;
}

function isMsisdn(key: Uint8Array | null, { octets, spans }: FlowFields): boolean {
  const start = spans[SERVED_MSISDN * 2];
  if (key === null || key.length !== spans[SERVED_MSISDN * 2 + 1] - start) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== octets[start + i]) return false;
  return true;
}

function isKey(key: Uint8Array | null, msisdn: string): boolean {
  if (key === null || key.length !== msisdn.length) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== msisdn.charCodeAt(i)) return false;
  return true;
}
