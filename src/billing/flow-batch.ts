import { type Fault, REASON_CODE } from './outcome.ts';

/** Bits of the code in columns that says how a record was recognised as an application's. */
export const BY_TAG = 1;
export const BY_IP = 2;
export const BY_CDR = 4;
/** The codes in words. */
export const EVIDENCES = ['none', 'tag', 'ip', 'tag+ip', 'cdr', 'tag+cdr', 'cdr+ip', 'tag+cdr+ip'] as const;

/** `tagApplication` of a record without a tag, and of one whose tag nobody claims. */
export const NO_TAG = -1;
export const UNKNOWN_TAG = -2;
/** `cdrApplication` of a record without identities, of one whose identities nobody claims, and of one whose two differ. */
export const NO_IDENTITY = -1;
export const UNKNOWN_IDENTITY = -2;
export const CONFLICTING_IDENTITIES = -3;

/** A reason that is not one yet: the record is still on its way through the steps. */
export const UNDECIDED = 255;

/** Why a record was rejected, in words that name no subscriber. */
export interface Rejection {
  row: number;
  detail: string;
}

/**
 * One batch in columns: row i of every array is the i-th record read. The steps of the pipeline fill the columns from
 * left to right. Numbers are doubles where 32 bits do not do; all of them are integers below 2^53.
 */
export class FlowBatch {
  readonly capacity: number;
  count = 0;
  /** Octets of the records' bytes as read: what the batch's cap in octets counts. */
  readOctets = 0;
  /** Uplink and downlink octets of the records taken: a batch is full before their sum could leave the exact integers. */
  usageOctets = 0;
  /** Records whose message key is not their MSISDN: the producer breaks the promise that keeps a subscriber together. */
  keyMismatches = 0;
  readonly rejections: Rejection[] = [];
  /** Where the records' bytes are, for the payloads of the rejected ones: by the first row of each memory. */
  readonly #memories: { fromRow: number; octets: Uint8Array }[] = [];
  /** The last of them. */
  #memory: Uint8Array | null = null;
  readonly valueStart: Uint32Array;
  readonly valueEnd: Uint32Array;

  // what the record says
  readonly offset: Float64Array;
  /** Index into the lane's node names; -1 where nothing is known of the record. */
  readonly node: Int32Array;
  readonly localSequenceNumber: Float64Array;
  readonly fingerprint: Uint32Array;
  /** Index into the lane's subscribers. */
  readonly subscriber: Uint32Array;
  readonly startTimeMs: Float64Array;
  readonly endTimeMs: Float64Array;
  /** Four 32 bit words a row; IPv4 as ::ffff:a.b.c.d. */
  readonly remoteAddress: Uint32Array;
  /** Application that claims the record's tag, or NO_TAG, or UNKNOWN_TAG. */
  readonly tagApplication: Int32Array;
  /** Application that claims the record's identities (ASP, sponsor), or NO_IDENTITY, UNKNOWN_IDENTITY, CONFLICTING_IDENTITIES. */
  readonly cdrApplication: Int32Array;
  readonly contentType: Uint8Array;
  readonly uplinkOctets: Float64Array;
  readonly downlinkOctets: Float64Array;

  // what was decided
  /** Application of the longest prefix that holds the remote address, or -1. */
  readonly prefixApplication: Int32Array;
  readonly reason: Uint8Array;
  readonly evidence: Uint8Array;
  readonly application: Int32Array;
  readonly plan: Int32Array;
  /** First day of the record's period in the plan's time zone, days since 1970-01-01. */
  readonly periodStart: Uint16Array;
  /** The lane's counter that the record moved, where it was charged. */
  readonly counter: Uint32Array;
  readonly sponsoredOctets: Float64Array;
  readonly chargeMicros: Float64Array;
  readonly usedOctetsAfter: Float64Array;
  readonly carryAfter: Uint16Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.valueStart = new Uint32Array(capacity);
    this.valueEnd = new Uint32Array(capacity);
    this.offset = new Float64Array(capacity);
    this.node = new Int32Array(capacity).fill(-1);
    this.localSequenceNumber = new Float64Array(capacity);
    this.fingerprint = new Uint32Array(capacity);
    this.subscriber = new Uint32Array(capacity);
    this.startTimeMs = new Float64Array(capacity);
    this.endTimeMs = new Float64Array(capacity);
    this.remoteAddress = new Uint32Array(capacity * 4);
    this.tagApplication = new Int32Array(capacity).fill(NO_TAG);
    this.cdrApplication = new Int32Array(capacity).fill(NO_IDENTITY);
    this.contentType = new Uint8Array(capacity);
    this.uplinkOctets = new Float64Array(capacity);
    this.downlinkOctets = new Float64Array(capacity);
    this.prefixApplication = new Int32Array(capacity).fill(-1);
    this.reason = new Uint8Array(capacity).fill(UNDECIDED);
    this.evidence = new Uint8Array(capacity);
    this.application = new Int32Array(capacity).fill(-1);
    this.plan = new Int32Array(capacity).fill(-1);
    this.periodStart = new Uint16Array(capacity);
    this.counter = new Uint32Array(capacity);
    this.sponsoredOctets = new Float64Array(capacity);
    this.chargeMicros = new Float64Array(capacity);
    this.usedOctetsAfter = new Float64Array(capacity);
    this.carryAfter = new Uint16Array(capacity);
  }

  /** Makes it as good as new: only the rows that were used have to be wiped. */
  clear(): void {
    const { count } = this;
    for (const column of Object.values(this)) if (ArrayBuffer.isView(column)) (column as Uint8Array).fill(0, 0, count);
    this.remoteAddress.fill(0, 0, count * 4);
    this.node.fill(-1, 0, count);
    this.tagApplication.fill(NO_TAG, 0, count);
    this.cdrApplication.fill(NO_IDENTITY, 0, count);
    this.prefixApplication.fill(-1, 0, count);
    this.reason.fill(UNDECIDED, 0, count);
    this.application.fill(-1, 0, count);
    this.plan.fill(-1, 0, count);
    this.count = 0;
    this.readOctets = 0;
    this.usageOctets = 0;
    this.keyMismatches = 0;
    this.rejections.length = 0;
    this.#memories.length = 0;
    this.#memory = null;
  }

  /** Keeps a record's bytes without a view of their own, which the garbage collector would have to carry along. */
  keepValue(row: number, octets: Uint8Array, start: number, end: number): void {
    if (octets !== this.#memory) {
      this.#memory = octets;
      this.#memories.push({ fromRow: row, octets });
    }
    this.valueStart[row] = start;
    this.valueEnd[row] = end;
  }

  /** The record's bytes. */
  value(row: number): Uint8Array {
    const kept = this.#memories.findLast(({ fromRow }) => fromRow <= row);
    if (kept === undefined) throw new RangeError(`row ${row} has no value`);
    return kept.octets.subarray(this.valueStart[row], this.valueEnd[row]);
  }

  reject(row: number, fault: Fault): void {
    this.reason[row] = REASON_CODE[fault.reason];
    this.rejections.push({ row, detail: fault.detail });
  }

  octets(row: number): number {
    return this.uplinkOctets[row] + this.downlinkOctets[row];
  }
}
