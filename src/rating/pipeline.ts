import {
  CONTENT_TYPES,
  type Decoder,
  type FlowBatch,
  FlowFields,
  type FlowRecord,
  latestTimeOf,
  NODE_ID,
  PLAIN_LIMITS,
  type RecordLimits,
  type RecordRules,
  SERVED_MSISDN,
  UNDECIDED,
  ZERO_RATING_TAG,
} from './flow-record.ts';
import { parseIp } from './ip-address.ts';
import type { Lane, Seen } from './lane.ts';
import { fingerprintOfDatum } from './octet-map.ts';
import { type Fault, REASON_CODE, type Reason } from './outcome.ts';
import { rate } from './rate.ts';
import { fingerprintOf } from './record/fingerprint.ts';
import { isSameMsisdn, type MsisdnForms } from './record/msisdn.ts';
import { validateFlowRecord } from './record/validate.ts';
import type { Rules } from './rules.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The way of a record, after `admit` has decoded and validated it into the batch's columns:
 *
 *     dropDuplicate -> classify -> choose a plan -> refuse what is late | counters in memory? | -> rate
 *
 * The first step that has a reason decides; a record that passes all of them is rated. Between the two halves the shell
 * makes sure that the counters of every period the batch touches are in memory.
 */
export function classifyBatch(batch: FlowBatch, lane: Lane, rules: Rules): void {
  rules.evidence.findPrefixes(batch);
  for (let row = 0; row < batch.count; row++) {
    lane.duplicates.advance(lane.position + row);
    if (batch.reason[row] !== UNDECIDED) continue;
    const reason =
      dropDuplicate(batch, row, lane) ??
      rules.evidence.classify(batch, row) ??
      rules.planBook.choose(batch, row, rules.suspended) ??
      refuseLate(batch, row, lane, rules);
    if (reason !== null) batch.reason[row] = REASON_CODE[reason];
  }
}

/** First day of the earliest period that the undecided records count in; Infinity if there is none. */
export function earliestPeriodStart(batch: FlowBatch): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] === UNDECIDED && batch.periodStart[row] < earliest) earliest = batch.periodStart[row];
  }
  return earliest;
}

export function rateBatch(batch: FlowBatch, lane: Lane, rules: Rules): void {
  const { counters } = lane;
  openCounters(batch, lane, rules);
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    const plan = rules.catalogue.plans[batch.plan[row]];
    const counter = batch.counter[row];
    const reason = rate(batch, row, plan, counters, counter);
    if (reason === 'charge_out_of_range') {
      batch.reject(row, { reason, detail: 'counter or charge above 2^53 - 1' });
      continue;
    }
    batch.reason[row] = REASON_CODE[reason];
    counters.noteRow(counter, row);
  }
  lane.position += batch.count;
}

/** A pass of its own: in so short a loop the processor waits for the memory of many counters at once, not one by one. */
function openCounters(batch: FlowBatch, { counters, planPeriods }: Lane, { catalogue: { plans } }: Rules): void {
  // The plan's period before: nearly always it is the next one too.
  const periodStarts = new Int32Array(plans.length).fill(-1);
  const numbers = new Uint32Array(plans.length);
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    const plan = batch.plan[row];
    const periodStart = batch.periodStart[row];
    if (periodStarts[plan] !== periodStart) {
      periodStarts[plan] = periodStart;
      numbers[plan] = planPeriods.numberOf(plans[plan].id, periodStart);
    }
    batch.counter[row] = counters.open(batch.subscriber[row], numbers[plan]);
  }
}

function dropDuplicate(batch: FlowBatch, row: number, lane: Lane): Reason | null {
  const ordinal = lane.position + row;
  const node = batch.node[row];
  const sequence = batch.localSequenceNumber[row];
  const seen = claimIdentity(lane, ordinal, node, sequence, batch.fingerprint[row]);
  if (seen === 'new') return null;
  if (seen === 'duplicate') return 'duplicate';
  const reason = 'conflicting_duplicate';
  batch.reject(row, { reason, detail: `${lane.nodes.list[node]} ${sequence} was seen before with other content` });
  return reason;
}

/** The window decides first; what an earlier generation of a rewritten file has claimed is not claimed again. */
function claimIdentity(lane: Lane, ordinal: number, node: number, sequence: number, fingerprint: number): Seen {
  const { duplicates, earlier } = lane;
  const seen = duplicates.see(ordinal, node, sequence, fingerprint);
  if (seen !== 'new' || earlier === null) return seen;
  const before = earlier.find(node, sequence, fingerprint);
  if (before !== 'new') duplicates.forget(ordinal);
  return before;
}

/**
 * The late policy `refuse` (rule 9): once finance has closed a month, the periods that begin in it and were over by then take
 * no more records. A record that is refused gives its identity back: corrected, it may come again.
 */
function refuseLate(batch: FlowBatch, row: number, lane: Lane, rules: Rules): Reason | null {
  const plan = batch.plan[row];
  const periodStart = batch.periodStart[row];
  if (!rules.refusesLate(plan, periodStart)) return null;
  lane.duplicates.forget(lane.position + row);
  const reason = 'period_closed';
  const detail = `the period began on ${dayName(periodStart)}, and what began before ${dayName(rules.openFromDay[plan])} is closed`;
  batch.reject(row, { reason, detail });
  return reason;
}

function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

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
