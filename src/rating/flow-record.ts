import { UnknownTags } from './names.ts';
import { type Fault, REASON_CODE } from './outcome.ts';
import { QuotaMoves } from './quota-moves.ts';

/**
 * One flow record: the usage of one terminal with one remote address in one interval, a partial CDR (TS 32.298).
 * Its identity is (`nodeId`, `localSequenceNumber`).
 */
export interface FlowRecord {
  nodeId: string;
  /** Consecutive per node. */
  localSequenceNumber: number;
  chargingId: number;
  /** Number of this partial record within its session. */
  recordSequenceNumber: number;
  /** Normal form: E.164 digits without `+` or international prefix, at most 15, the first of them not 0. */
  servedMsisdn: string;
  servedImsi: string | null;
  /** Milliseconds since 1970-01-01T00:00Z; the record's period is the one that holds this instant. */
  startTime: number;
  endTime: number;
  terminalIp: string;
  terminalPort: number;
  remoteIp: string;
  remotePort: number;
  protocol: number;
  zeroRatingTag: string | null;
  contentType: ContentType | null;
  ratingGroup: number | null;
  serviceIdentifier: number | null;
  /** Octets that the terminal sent, as the gateway metered them. */
  uplinkOctets: number;
  /** Octets that the terminal received, as the gateway metered them. */
  downlinkOctets: number;
  /** Who pays, as the gateway was configured (Sponsor-Identity, AVP 531, TS 29.214). */
  sponsorIdentity: string | null;
  /** Whose service it is (Application-Service-Provider-Identity, AVP 532, TS 29.214). */
  applicationServiceProviderIdentity: string | null;
  /** MCC and MNC of the serving node: 5 or 6 digits (TS 23.003, 12.1). */
  servingPlmn: string | null;
  /** Radio access type: the number that a CDR's rATType has (TS 32.298, by TS 29.061). */
  ratType: number | null;
  /** The serving node's tracking area: PLMN, a hyphen, and the TAC in 4 (EPS) or 6 (5GS) lower-case hexadecimal digits (TS 23.003, 28.6). */
  trackingArea: string | null;
  /** The application that the gateway detected in the traffic, by the gateway's name for it. */
  detectedApplication: string | null;
  detectedBy: Detection | null;
  /** The customer's account that the SIM belongs to, as the operator's mediation names it (TM Forum: billing account). */
  accountId: string | null;
}

/** How a gateway detects an application: by the name in the TLS handshake, by DNS, or by inspection of packets. */
export const DETECTIONS = ['sni', 'dns', 'dpi'] as const;
export type Detection = (typeof DETECTIONS)[number];

/** Content types that a plan can name; `unknown` is a record that names none. */
export const CONTENT_TYPES = ['text', 'voice', 'image', 'video', 'other', 'unknown'] as const;
export type ContentType = (typeof CONTENT_TYPES)[number];

export const FLOW_RECORD_FIELDS = [
  'nodeId',
  'localSequenceNumber',
  'chargingId',
  'recordSequenceNumber',
  'servedMsisdn',
  'servedImsi',
  'startTime',
  'endTime',
  'terminalIp',
  'terminalPort',
  'remoteIp',
  'remotePort',
  'protocol',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'uplinkOctets',
  'downlinkOctets',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
  'servingPlmn',
  'ratType',
  'trackingArea',
  'detectedApplication',
  'detectedBy',
  'accountId',
] as const satisfies readonly (keyof FlowRecord)[];

/** Fields that a record need not have. */
export const NULLABLE_FIELDS: ReadonlySet<string> = new Set<keyof FlowRecord>([
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
  'servingPlmn',
  'ratType',
  'trackingArea',
  'detectedApplication',
  'detectedBy',
  'accountId',
]);

/** Of a record without the fields behind the identities, as all records of before there were any of them. */
export const NO_LATER_FIELDS = {
  servingPlmn: null,
  ratType: null,
  trackingArea: null,
  detectedApplication: null,
  detectedBy: null,
  accountId: null,
} as const satisfies Partial<FlowRecord>;

/** Fields as they are in a source's record: named, not yet validated. */
export type Candidate = Record<string, unknown>;

/** `fault` when the bytes are no record at all; otherwise the fields, for `validateFlowRecord` to judge. */
export type Decoded = { candidate: Candidate; fault?: undefined } | { candidate?: undefined; fault: Fault };

/** Turns one record's bytes into fields. Never throws on bad input. */
export interface Decoder {
  (value: Uint8Array): Decoded;
  /**
   * Finds the datum, or the line, of a record in plain layout, which the kernel reads: returns `plainDatum`, or NOT_PLAIN for what
   * only the long way reads. What the kernel gives is what the long way gives.
   */
  plainDatum?: (octets: Uint8Array, start: number, end: number) => number;
  /** CSV: the fields that the cells of a line are of, by their numbers in a datum (DATUM_FIELDS). */
  columns?: readonly number[];
}

/** Bits of the code in columns that says how a record was recognised as an application's. */
export const BY_TAG = 1;
export const BY_IP = 2;
export const BY_CDR = 4;
/** The codes in words. */
export const EVIDENCES = ['none', 'tag', 'ip', 'tag+ip', 'cdr', 'tag+cdr', 'cdr+ip', 'tag+cdr+ip'] as const;

/** `tag` of a record without one. */
export const NO_TAG = -1;
/** `cdrApplication` of a record without identities, of one whose identities no application claims at its start, and of one whose identities, rating group or service identifier name two. */
export const NO_IDENTITY = -1;
export const UNKNOWN_IDENTITY = -2;
export const CONFLICTING_IDENTITIES = -3;

/** A reason that is not one yet: the record is still on its way through the steps. */
export const UNDECIDED = 255;

/** Room of a batch that has begun with less. */
const FIRST_ROOM = 256;

/** Why a record was rejected, in words that name no subscriber. */
interface Rejection {
  row: number;
  detail: string;
}

/** What a batch keeps of a record as it was read: its place in its log, and where its value is. */
export interface BatchRecord {
  readonly offset: number;
  readonly octets: Uint8Array;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/**
 * One batch in columns: row i of every array is the i-th record read. The steps of the pipeline fill the columns from
 * left to right. Numbers are doubles where 32 bits do not do; all of them are integers below 2^53.
 *
 * The columns have room for `room` rows to begin with, and double as rows come, up to `capacity`.
 */
export class FlowBatch {
  /** The most rows that it takes. */
  readonly capacity: number;
  /** The rows that the columns have room for. */
  #room: number;
  count = 0;
  /** Octets of the records' bytes as read: what the batch's cap in octets counts. */
  readOctets = 0;
  /** Uplink and downlink octets of the records taken: a batch is full before their sum could leave the exact integers. */
  usageOctets = 0;
  /** Records whose message key is neither their MSISDN nor their account: the producer breaks the promise that keeps a subscriber together. Where
   * the catalogue counts by account, the key of a record that has one must be it. */
  keyMismatches = 0;
  readonly rejections: Rejection[] = [];
  /** Tags that no application claims. */
  readonly unknownTags = new UnknownTags();
  /** Where the records' bytes are, for the payloads of the rejected ones: by the first row of each memory. */
  readonly #memories: { fromRow: number; octets: Uint8Array }[] = [];
  /** The last of them. */
  #memory: Uint8Array | null = null;
  valueStart: Uint32Array;
  valueEnd: Uint32Array;

  // what the record says
  offset: Float64Array;
  /** Index into the lane's node names; -1 where nothing is known of the record. */
  node: Int32Array;
  localSequenceNumber: Float64Array;
  fingerprint: Uint32Array;
  /** Index into the lane's subscribers. */
  subscriber: Uint32Array;
  /** The same of what the record's quotas by account count for: its account, or its subscriber. 0 where the catalogue has no such quota. */
  account: Uint32Array;
  startTimeMs: Float64Array;
  endTimeMs: Float64Array;
  /** Four 32 bit words a row; IPv4 as ::ffff:a.b.c.d. */
  remoteAddress: Uint32Array;
  remotePort: Uint16Array;
  /** IANA number. */
  protocol: Uint8Array;
  /** Index into the catalogue's tags, or NO_TAG, or a code of `unknownTags`. */
  tag: Int32Array;
  /** Application that claims the record's identities (ASP, sponsor), rating group or service identifier at its start, or NO_IDENTITY, UNKNOWN_IDENTITY, CONFLICTING_IDENTITIES. */
  cdrApplication: Int32Array;
  /** What it says of where the terminal was (`NetworkConditions`); 0: nothing, or no plan asks. */
  network: Float64Array;
  /** Application that claims what the gateway detected in the record, at its start, or -1. */
  detectedApplication: Int32Array;
  contentType: Uint8Array;
  uplinkOctets: Float64Array;
  downlinkOctets: Float64Array;

  // what was decided
  /** Application of the longest prefix that holds the remote address, and whose conditions hold for the record; or -1. */
  prefixApplication: Int32Array;
  reason: Uint8Array;
  evidence: Uint8Array;
  application: Int32Array;
  plan: Int32Array;
  /** First day of the record's period in the plan's time zone, days since 1970-01-01. */
  periodStart: Uint16Array;
  /** The lane's counter that the record moved, where it was charged. */
  counter: Uint32Array;
  sponsoredOctets: Float64Array;
  chargeMicros: Float64Array;
  usedOctetsAfter: Float64Array;
  carryAfter: Uint16Array;

  /** Counters of further quotas that the batch moved. */
  readonly quotaMoves = new QuotaMoves();

  constructor(capacity: number, room = capacity) {
    this.capacity = capacity;
    this.#room = room;
    this.valueStart = new Uint32Array(room);
    this.valueEnd = new Uint32Array(room);
    this.offset = new Float64Array(room);
    this.node = new Int32Array(room);
    this.localSequenceNumber = new Float64Array(room);
    this.fingerprint = new Uint32Array(room);
    this.subscriber = new Uint32Array(room);
    this.account = new Uint32Array(room);
    this.startTimeMs = new Float64Array(room);
    this.endTimeMs = new Float64Array(room);
    this.remoteAddress = new Uint32Array(room * 4);
    this.remotePort = new Uint16Array(room);
    this.protocol = new Uint8Array(room);
    this.tag = new Int32Array(room);
    this.cdrApplication = new Int32Array(room);
    this.network = new Float64Array(room);
    this.detectedApplication = new Int32Array(room);
    this.contentType = new Uint8Array(room);
    this.uplinkOctets = new Float64Array(room);
    this.downlinkOctets = new Float64Array(room);
    this.prefixApplication = new Int32Array(room);
    this.reason = new Uint8Array(room);
    this.evidence = new Uint8Array(room);
    this.application = new Int32Array(room);
    this.plan = new Int32Array(room);
    this.periodStart = new Uint16Array(room);
    this.counter = new Uint32Array(room);
    this.sponsoredOctets = new Float64Array(room);
    this.chargeMicros = new Float64Array(room);
    this.usedOctetsAfter = new Float64Array(room);
    this.carryAfter = new Uint16Array(room);
    this.#undecide(0, room);
  }

  /** Memory of the columns. */
  get bytes(): number {
    return this.#room * BYTES_PER_ROW;
  }

  /**
   * Gives the records [from, to) the next rows, which know their places and their bytes, and returns the first of these rows. Throws a
   * RangeError when the batch is full.
   */
  addRows(records: readonly BatchRecord[], from: number, to: number): number {
    const begin = this.count;
    const count = begin + to - from;
    while (count > this.#room) this.#grow();
    const { offset, valueStart, valueEnd } = this;
    let octets = 0;
    for (let at = from, row = begin; at < to; at++, row++) {
      const record = records[at];
      offset[row] = record.offset;
      valueStart[row] = record.valueStart;
      valueEnd[row] = record.valueEnd;
      octets += record.valueEnd - record.valueStart;
      if (record.octets !== this.#memory) this.#keepMemory(row, record.octets);
    }
    this.count = count;
    this.readOctets += octets;
    return begin;
  }

  #grow(): void {
    const before = this.#room;
    if (before === this.capacity) throw new RangeError(`a batch of ${before} rows is full`);
    const room = Math.min(this.capacity, Math.max(FIRST_ROOM, before * 2));
    const columns = this as unknown as Record<string, unknown>;
    for (const [name, column] of Object.entries(this)) {
      if (!ArrayBuffer.isView(column)) continue;
      const { length } = column as Uint8Array;
      const larger = new (column.constructor as Uint8ArrayConstructor)((length / before) * room);
      larger.set(column as Uint8Array);
      columns[name] = larger;
    }
    this.#room = room;
    this.#undecide(before, room);
  }

  #undecide(from: number, to: number): void {
    this.node.fill(-1, from, to);
    this.tag.fill(NO_TAG, from, to);
    this.cdrApplication.fill(NO_IDENTITY, from, to);
    this.detectedApplication.fill(-1, from, to);
    this.prefixApplication.fill(-1, from, to);
    this.reason.fill(UNDECIDED, from, to);
    this.application.fill(-1, from, to);
    this.plan.fill(-1, from, to);
  }

  /** Makes it as good as new: only the rows that were used have to be wiped. */
  clear(): void {
    const { count } = this;
    for (const column of Object.values(this)) if (ArrayBuffer.isView(column)) (column as Uint8Array).fill(0, 0, count);
    this.remoteAddress.fill(0, 0, count * 4);
    this.#undecide(0, count);
    this.count = 0;
    this.readOctets = 0;
    this.usageOctets = 0;
    this.keyMismatches = 0;
    this.rejections.length = 0;
    this.unknownTags.clear();
    this.quotaMoves.clear();
    this.#memories.length = 0;
    this.#memory = null;
  }

  /** Keeps records' bytes without a view of each, which the garbage collector would have to carry along. */
  #keepMemory(row: number, octets: Uint8Array): void {
    this.#memory = octets;
    this.#memories.push({ fromRow: row, octets });
  }

  /** The record's bytes. A value with memory of its own, as a source makes it, is given as it is: the source may know it again. */
  value(row: number): Uint8Array {
    let [from, to] = [0, this.#memories.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#memories[middle].fromRow <= row) from = middle + 1;
      else to = middle;
    }
    if (from === 0) throw new RangeError(`row ${row} has no value`);
    const { octets } = this.#memories[from - 1];
    const [start, end] = [this.valueStart[row], this.valueEnd[row]];
    return start === 0 && end === octets.length ? octets : octets.subarray(start, end);
  }

  reject(row: number, fault: Fault): void {
    this.reason[row] = REASON_CODE[fault.reason];
    this.rejections.push({ row, detail: fault.detail });
  }

  octets(row: number): number {
    return this.uplinkOctets[row] + this.downlinkOctets[row];
  }
}

/** Of all columns together. */
const BYTES_PER_ROW = Object.values(new FlowBatch(1)).reduce<number>(
  (sum, column) => sum + (ArrayBuffer.isView(column) ? column.byteLength : 0),
  0,
);
