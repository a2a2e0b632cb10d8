import type { Decoder } from './decode/decoder.ts';
import type { Lane } from './lane.ts';
import type { Fault } from './outcome.ts';
import { fingerprintOf, fingerprintOfDatum } from './record/fingerprint.ts';
import type { FlowBatch } from './record/flow-batch.ts';
import { FlowFields, NODE_ID, SERVED_MSISDN, ZERO_RATING_TAG } from './record/flow-fields.ts';
import { CONTENT_TYPES, type FlowRecord } from './record/flow-record.ts';
import { parseIp } from './record/ip-address.ts';
import { latestTimeOf, PLAIN_LIMITS, type RecordLimits, type RecordRules } from './record/record-limits.ts';
import { validateFlowRecord } from './record/validate.ts';
import type { Rules } from './rules.ts';
import { isSameMsisdn, type MsisdnForms } from './subscriber/msisdn.ts';

/** A record's place in its log, and where its key and value are in `octets`, which may hold more than them. */
export interface Incoming {
  readonly offset: number;
  /** Its log's time; null where the log has none. */
  readonly timestampMs: number | null;
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
  return {
    offset,
    timestampMs: null,
    octets: value,
    keyStart: -1,
    keyEnd: -1,
    valueStart: 0,
    valueEnd,
    oversizedOctets,
    value,
  };
}

/** What the records of one batch are read with. */
export interface IngestContext {
  decode: Decoder;
  /** Records are keyed by MSISDN (Kafka); a record whose key is another one is counted. */
  keyedByMsisdn: boolean;
  rules: RecordRules;
  /** The batch's booking date, days since 1970-01-01: the log's time of records that have none. */
  bookingDay: number;
}

/** Longer than any MSISDN with a prefix before it. */
const MAX_KEY_OCTETS = 32;

/** The record being read; one for all calls, as the hot path makes no objects. */
const fields = new FlowFields();

/** decode, validate, and take into the columns: the next row of the batch is this record, or its rejection. */
export function admit(batch: FlowBatch, incoming: Incoming, context: IngestContext, lane: Lane, rules: Rules): void {
  const { octets, valueStart, valueEnd } = incoming;
  const row = batch.addRow();
  batch.offset[row] = incoming.offset;
  batch.readOctets += valueEnd - valueStart;
  batch.keepValue(row, octets, valueStart, valueEnd);
  const { decode, keyedByMsisdn, bookingDay } = context;
  const { msisdn, maxFutureSkewMs } = context.rules;
  const latestTimeMs = latestTimeOf(incoming.timestampMs, bookingDay, maxFutureSkewMs);
  const isRead = incoming.oversizedOctets === 0 && decode.readFlow?.(octets, valueStart, valueEnd, fields) === true;
  // The end is the later of the two times; what is later than its log is for the long way to reject.
  if (isRead && fields.endTimeMs <= latestTimeMs) {
    if (keyedByMsisdn && !isKeyedByMsisdn(incoming, fields, msisdn)) batch.keyMismatches++;
    takeFields(batch, row, lane, rules);
    return;
  }
  const record = readRecord(incoming, decode, { msisdn, latestTimeMs });
  if ('reason' in record) {
    batch.reject(row, record);
    return;
  }
  if (keyedByMsisdn && !isKeyedBy(incoming, record.servedMsisdn, msisdn)) batch.keyMismatches++;
  take(batch, row, record, lane, rules);
}

/** A record, or the fault that keeps its bytes from being one. */
export function readRecord(
  { value, oversizedOctets }: Pick<Incoming, 'value' | 'oversizedOctets'>,
  decode: Decoder,
  limits: RecordLimits = PLAIN_LIMITS,
): FlowRecord | Fault {
  if (oversizedOctets > 0) {
    return { reason: 'oversized_record', detail: `the record has ${oversizedOctets} octets` };
  }
  const decoded = decode(value);
  return decoded.fault ?? validateFlowRecord(decoded.candidate, limits);
}

function take(batch: FlowBatch, row: number, record: FlowRecord, lane: Lane, rules: Rules): void {
  batch.node[row] = lane.nodes.numberOf(record.nodeId);
  batch.localSequenceNumber[row] = record.localSequenceNumber;
  batch.fingerprint[row] = fingerprintOf(record);
  batch.subscriber[row] = lane.subscribers.ofMsisdn(record.servedMsisdn);
  batch.startTimeMs[row] = record.startTime;
  batch.endTimeMs[row] = record.endTime;
  parseIp(record.remoteIp, batch.remoteAddress, row * 4);
  batch.tag[row] = rules.evidence.codeOfTag(record.zeroRatingTag, batch.unknownTags);
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
  if (tagStart >= 0) {
    const tagEnd = spans[ZERO_RATING_TAG * 2 + 1];
    batch.tag[row] = evidence.codeOfTagOctets(octets, tagStart, tagEnd, batch.unknownTags);
  }
  if (fields.hasIdentities) batch.cdrApplication[row] = evidence.applicationOfIdentityOctets(fields);
  batch.contentType[row] = fields.contentType;
  batch.uplinkOctets[row] = fields.uplinkOctets;
  batch.downlinkOctets[row] = fields.downlinkOctets;
  batch.usageOctets += fields.uplinkOctets + fields.downlinkOctets;
}

function isKeyedByMsisdn(incoming: Incoming, { spans }: FlowFields, forms: MsisdnForms): boolean {
  const { octets, keyStart, keyEnd } = incoming;
  const start = spans[SERVED_MSISDN * 2];
  const end = spans[SERVED_MSISDN * 2 + 1];
  if (keyStart < 0) return false;
  let at = keyEnd - keyStart === end - start ? 0 : -1;
  while (at >= 0 && at < end - start && octets[keyStart + at] === octets[start + at]) at++;
  return at === end - start || isKeyedBy(incoming, latin1(octets, start, end), forms);
}

/** The key may have the `+` or the prefix that the normal form has not. */
function isKeyedBy({ octets, keyStart, keyEnd }: Incoming, msisdn: string, forms: MsisdnForms): boolean {
  if (keyStart < 0 || keyEnd - keyStart > MAX_KEY_OCTETS) return false;
  return isSameMsisdn(msisdn, latin1(octets, keyStart, keyEnd), forms);
}

function latin1(octets: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...octets.subarray(start, end));
}
