import { type AdmissionKernel, admissionKernel, MAX_KEY_OCTETS } from './admission-kernel.ts';
import { CONTENT_TYPES, type Decoder, type FlowBatch, type FlowRecord, UNDECIDED } from './flow-record.ts';
import type { Incoming, IngestContext } from './incoming.ts';
import { parseIp } from './ip-address.ts';
import { NO_TEXT } from './kernel/regions.ts';
import type { Lane, Seen } from './lane.ts';
import { type Fault, REASON_CODE, type Reason } from './outcome.ts';
import { QuotaCounting } from './quota-counting.ts';
import { rate } from './rate.ts';
import { fingerprintOf } from './record/fingerprint.ts';
import { isSameMsisdn, type MsisdnForms, msisdnKey, msisdnOfKey } from './record/msisdn.ts';
import { latestTimeOf, PLAIN_LIMITS, type RecordLimits } from './record/record-limits.ts';
import { validateFlowRecord } from './record/validate.ts';
import type { BatchRules } from './rules.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The way of a record, after `admit` has decoded and validated it into the batch's columns:
 *
 *     dropDuplicate -> classify -> choose a plan -> refuse what is late | counters in memory? | -> rate
 *
 * The first step that has a reason decides; a record that passes all of them is rated. Between the two halves the shell
 * makes sure that the counters of every period the batch touches are in memory.
 */
export function classifyBatch(batch: FlowBatch, lane: Lane, rules: BatchRules): void {
  rules.evidence.findPrefixes(batch);
  for (let row = 0; row < batch.count; row++) {
    lane.duplicates.advance(lane.position + row);
    if (batch.reason[row] !== UNDECIDED) continue;
    const reason =
      dropDuplicate(batch, row, lane) ??
      rules.evidence.classify(batch, row) ??
      rules.planBook.choose(batch, row, rules, lane.subscribers) ??
      refuseLate(batch, row, lane, rules);
    if (reason !== null) batch.reason[row] = REASON_CODE[reason];
  }
}

/** First day of the earliest period that the undecided records count in, further quotas' included; Infinity if there is none. */
export function earliestPeriodStart(batch: FlowBatch, { quotaBook }: Pick<BatchRules, 'quotaBook'>): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    if (batch.periodStart[row] < earliest) earliest = batch.periodStart[row];
    if (quotaBook === null) continue;
    const timeMs = batch.startTimeMs[row];
    for (const { calendar } of quotaBook.countedBy(batch.plan[row], timeMs)) {
      earliest = Math.min(earliest, calendar.startDay(timeMs));
    }
  }
  return earliest;
}

export function rateBatch(batch: FlowBatch, lane: Lane, rules: BatchRules): void {
  const { counters } = lane;
  openCounters(batch, lane, rules);
  const further = rules.quotaBook === null ? null : new QuotaCounting(rules.quotaBook, batch, lane);
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    const plan = rules.catalogue.plans[batch.plan[row]];
    const counter = batch.counter[row];
    const leftOfOthers = further === null ? Number.POSITIVE_INFINITY : further.left(row);
    const reason = rate(batch, row, plan, counters, counter, leftOfOthers);
    if (reason === 'charge_out_of_range') {
      batch.reject(row, { reason, detail: 'counter or charge above 2^53 - 1' });
      continue;
    }
    batch.reason[row] = REASON_CODE[reason];
    counters.noteRow(counter, row);
    further?.count(row);
  }
  lane.position += batch.count;
}

/** A pass of its own: in so short a loop the processor waits for the memory of many counters at once, not one by one. */
function openCounters(batch: FlowBatch, { counters, planPeriods }: Lane, { catalogue: { plans } }: BatchRules): void {
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
function refuseLate(batch: FlowBatch, row: number, lane: Lane, rules: BatchRules): Reason | null {
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

/**
 * Decodes and validates records, and takes them into the columns: the next rows of the batch are these records, or their
 * rejections, in their order. Returns how many it took: all, or those up to the one with which the batch's usage octets reach
 * `maxUsageOctets`.
 *
 * The kernel reads runs of plain records; what it stops at takes the long way, which alone judges what is unusual.
 */
export function admit(
  batch: FlowBatch,
  records: readonly Incoming[],
  context: IngestContext,
  lane: Lane,
  rules: BatchRules,
  maxUsageOctets = Number.POSITIVE_INFINITY,
): number {
  let taken = 0;
  while (taken < records.length && batch.usageOctets < maxUsageOctets) {
    if (context.decode.plainDatum === undefined) admitLongWay(batch, records[taken++], context, lane, rules);
    else taken += admitLoaded(batch, records, taken, context, lane, rules, maxUsageOctets);
  }
  return taken;
}

/** Takes as many records from `first` on as the kernel has room for; at least one. */
function admitLoaded(
  batch: FlowBatch,
  records: readonly Incoming[],
  first: number,
  context: IngestContext,
  lane: Lane,
  rules: BatchRules,
  maxUsageOctets: number,
): number {
  const kernel = admissionKernel();
  const loaded = kernel.load(records, first, context);
  let row = 0;
  while (row < loaded && batch.usageOctets < maxUsageOctets) {
    const end = kernel.read(row, loaded, maxUsageOctets - batch.usageOctets);
    if (end === row) admitLongWay(batch, records[first + row++], context, lane, rules);
    else takeRows(batch, records, first, kernel, row, end, context, lane, rules);
    row = Math.max(row, end);
  }
  return row;
}

/** Takes the kernel's rows from `from` to `to`: those of the records from `first + from` on. */
function takeRows(
  batch: FlowBatch,
  records: readonly Incoming[],
  first: number,
  kernel: AdmissionKernel,
  from: number,
  to: number,
  context: IngestContext,
  lane: Lane,
  { evidence, planBook, quotaBook }: BatchRules,
): void {
  const begin = batch.addRows(records, first + from, first + to);
  batch.usageOctets += kernel.usageOctets;
  kernel.copyRows(from, to, batch, begin);
  lane.nodes.numberTexts(kernel, kernel.nodeText, from, to, batch.node, begin);
  lane.subscribers.ofMsisdnKeys(kernel.msisdn, from, to, batch.subscriber, begin);
  evidence.takeTexts(kernel, from, to, batch, begin);
  planBook.network.take(kernel, from, to, batch, begin);
  const countsAccounts = quotaBook?.countsAccounts === true;
  if (countsAccounts) lane.accounts.take(kernel, from, to, batch, begin);
  if (!context.keyedByMsisdn) return;
  if (countsAccounts) batch.keyMismatches += kernel.keyedByMsisdnOnly(from, to);
  for (
    let row = kernel.keyDiffers.indexOf(1, from);
    row >= 0 && row < to;
    row = kernel.keyDiffers.indexOf(1, row + 1)
  ) {
    const account = kernel.accountText[row];
    const accountId = account === NO_TEXT ? null : kernel.text(account);
    const isKeyed = isKeyedBy(
      records[first + row],
      kernel.msisdn[row],
      accountId,
      countsAccounts,
      context.rules.msisdn,
    );
    if (!isKeyed) batch.keyMismatches++;
  }
}

function admitLongWay(
  batch: FlowBatch,
  incoming: Incoming,
  context: IngestContext,
  lane: Lane,
  rules: BatchRules,
): void {
  const row = batch.addRows([incoming], 0, 1);
  const { decode, keyedByMsisdn, bookingDay } = context;
  const { msisdn, maxFutureSkewMs } = context.rules;
  const latestTimeMs = latestTimeOf(incoming.timestampMs, bookingDay, maxFutureSkewMs);
  const record = readRecord(incoming, decode, { msisdn, latestTimeMs });
  if ('reason' in record) {
    batch.reject(row, record);
    return;
  }
  const countsAccounts = rules.quotaBook?.countsAccounts === true;
  const { accountId, servedMsisdn } = record;
  if (keyedByMsisdn && !isKeyedBy(incoming, msisdnKey(servedMsisdn), accountId, countsAccounts, msisdn))
    batch.keyMismatches++;
  take(batch, row, record, lane, rules);
  if (countsAccounts)
    batch.account[row] = accountId === null ? batch.subscriber[row] : lane.accounts.ofAccount(accountId);
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

function take(batch: FlowBatch, row: number, record: FlowRecord, lane: Lane, rules: BatchRules): void {
  batch.node[row] = lane.nodes.numberOf(record.nodeId);
  batch.localSequenceNumber[row] = record.localSequenceNumber;
  batch.fingerprint[row] = fingerprintOf(record);
  batch.subscriber[row] = lane.subscribers.ofMsisdn(record.servedMsisdn);
  batch.startTimeMs[row] = record.startTime;
  batch.endTimeMs[row] = record.endTime;
  parseIp(record.remoteIp, batch.remoteAddress, row * 4);
  batch.remotePort[row] = record.remotePort;
  batch.protocol[row] = record.protocol;
  batch.tag[row] = rules.evidence.codeOfTag(record.zeroRatingTag, batch.unknownTags);
  batch.cdrApplication[row] = rules.evidence.applicationOfIdentities(record, batch, row);
  batch.network[row] = rules.planBook.network.numberOf(record);
  batch.detectedApplication[row] = rules.evidence.applicationOfDetection(record, batch, row);
  batch.contentType[row] = CONTENT_TYPES.indexOf(record.contentType ?? 'unknown');
  batch.uplinkOctets[row] = record.uplinkOctets;
  batch.downlinkOctets[row] = record.downlinkOctets;
  batch.usageOctets += record.uplinkOctets + record.downlinkOctets;
}

/**
 * Whether a record's key is its account, or, unless something is counted by the account that it has, its MSISDN: the key may have the `+` or
 * the prefix that the normal form has not. `msisdn`: see `msisdnKey`.
 */
function isKeyedBy(
  { octets, keyStart, keyEnd }: Incoming,
  msisdn: number,
  accountId: string | null,
  countsAccounts: boolean,
  forms: MsisdnForms,
): boolean {
  if (keyStart < 0 || keyEnd - keyStart > MAX_KEY_OCTETS) return false;
  const key = String.fromCharCode(...octets.subarray(keyStart, keyEnd));
  if (accountId !== null && (key === accountId || countsAccounts)) return key === accountId;
  return isSameMsisdn(msisdnOfKey(msisdn), key, forms);
}
