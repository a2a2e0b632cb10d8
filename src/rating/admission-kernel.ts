import { DATUM_FIELDS } from './decode/flow-layout.ts';
import { CONTENT_TYPES, DETECTIONS, type FlowBatch } from './flow-record.ts';
import type { Incoming, IngestContext } from './incoming.ts';
import { loadKernel } from './kernel/load-kernel.ts';
import {
  ACCOUNT_TEXT,
  ADDRESS,
  ASP_TEXT,
  COLUMN_COUNT,
  COLUMN_FIELDS,
  CONTENT_TYPE,
  CONTENT_WORDS,
  DATUM_END,
  DATUM_START,
  DETECTED_BY,
  DETECTED_TEXT,
  DETECTION_WORDS,
  DOWNLINK,
  END_TIME,
  FIELD_KINDS,
  FIELD_NAME_BYTES,
  FIELD_NAME_LENGTHS,
  FIELD_NAMES,
  FIELDS,
  FINGERPRINT,
  HAS_NETWORK,
  INPUT,
  INPUT_OCTETS,
  KEY_DIFFERS,
  KEY_END,
  KEY_START,
  LATEST_TIME,
  LAYOUT,
  LIMITS,
  MAX_ACCOUNT_OCTETS,
  MAX_DATUM_OCTETS,
  MAX_MISSED_TEXTS,
  MAX_TEXTS,
  MSISDN,
  NO_TEXT,
  NODE_TEXT,
  NULLABLE,
  PROTOCOL,
  RAT_TYPE,
  RATING_GROUP,
  REMOTE_PORT,
  ROWS,
  SEQUENCE,
  SERVICE_IDENTIFIER,
  SERVING_PLMN_TEXT,
  SPONSOR_TEXT,
  START_TIME,
  TAG_TEXT,
  TEXT,
  TEXT_COUNTS,
  TEXT_ENTRIES,
  TEXT_ENTRY_BYTES,
  TEXT_OCTETS,
  TRACKING_AREA_TEXT,
  UPLINK,
  USAGE,
} from './kernel/regions.ts';
import type { KernelTexts } from './names.ts';
import { latestTimeOf, MAX_TIME_MS, MIN_TIME_MS } from './record/record-limits.ts';
import { MAX_TEXT_LENGTH } from './record/validate.ts';

/** What the kernel exports. Addresses and numbers are those of regions.ts. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Reads rows into the columns, and returns the first that it did not read. */
  readRows(from: number, to: number, usageRoom: number): number;
  forgetTexts(): void;
}

/** More than there are: a power of two. */
const LAYOUTS = 8;

/** What a decoder returns of a record that is in no plain layout. */
export const NOT_PLAIN = -1;

/** Returns the place and the layout (see regions.ts) of a datum, or of a line, in one number. */
export function plainDatum(start: number, layout: number): number {
  return start * LAYOUTS + layout;
}

function placeOf(datum: number): number {
  return (datum - layoutOf(datum)) / LAYOUTS;
}

function layoutOf(datum: number): number {
  return datum & (LAYOUTS - 1);
}

/** As long as any account, and longer than any MSISDN with a prefix before it. */
export const MAX_KEY_OCTETS = MAX_ACCOUNT_OCTETS;
/** Octets between two records that are copied along, rather than that the records are copied apart. */
const MAX_GAP_OCTETS = 128;
/** Texts of a record that are numbered. */
const TEXTS_A_ROW = 8;
/**
 * The kernel of this thread: reads records in plain Avro, JSON and CSV from their octets into columns. `load` copies records in, `read` reads
 * them; the columns are good until the next `load`. README.md says how its memory is laid out.
 */
export class AdmissionKernel implements KernelTexts {
  readonly #sequence: Float64Array;
  /** The MSISDN's digits after a 1, which keeps leading zeros apart: at most 16 digits, exact in a double. */
  readonly msisdn: Float64Array;
  readonly #startTimeMs: Float64Array;
  readonly #endTimeMs: Float64Array;
  readonly #uplinkOctets: Float64Array;
  readonly #downlinkOctets: Float64Array;
  readonly #fingerprint: Uint32Array;
  /** Four words a row. */
  readonly #address: Uint32Array;
  readonly #remotePort: Uint16Array;
  readonly #protocol: Uint8Array;
  /** Numbers of texts, or NO_TEXT. */
  readonly nodeText: Int32Array;
  readonly tagText: Int32Array;
  readonly sponsorText: Int32Array;
  readonly aspText: Int32Array;
  /** -1 where the record has none. */
  readonly ratingGroup: Int32Array;
  readonly serviceIdentifier: Int32Array;
  /** 1 where a record has one of the fields of NO_LATER_FIELDS; where it is 0 the next five columns mean nothing. */
  readonly hasNetwork: Uint8Array;
  readonly servingPlmnText: Int32Array;
  /** NO_RAT_TYPE where the field is null. */
  readonly ratType: Int32Array;
  readonly trackingAreaText: Int32Array;
  readonly detectedText: Int32Array;
  /** 0 where the field is null, otherwise 1 and the place in DETECTIONS. */
  readonly detectedBy: Uint8Array;
  /** NO_TEXT where the field is null, whatever `hasNetwork` is. */
  readonly accountText: Int32Array;
  readonly #contentType: Uint8Array;
  /** 0 where the record's key is the digits of its MSISDN, KEY_IS_ACCOUNT where it is its account, otherwise 1. */
  readonly keyDiffers: Uint8Array;
  textGeneration: object = {};
  readonly #exports: KernelExports;
  readonly #octets: Uint8Array;
  readonly #datumStart: Uint32Array;
  readonly #datumEnd: Uint32Array;
  readonly #keyStart: Uint32Array;
  readonly #keyEnd: Uint32Array;
  readonly #latestTimeMs: Float64Array;
  readonly #layout: Uint8Array;
  readonly #columnFields: Uint8Array;
  readonly #columnCount: Uint32Array;
  readonly #usage: Float64Array;
  readonly #textCounts: Uint32Array;
  readonly #textEntries: Uint32Array;
  readonly #run: CopyRun;

  constructor(exports = loadAdmissionKernel()) {
    this.#exports = exports;
    const { buffer } = exports.memory;
    const doubles = (region: number, length = ROWS) => new Float64Array(buffer, region, length);
    const words = (region: number, length = ROWS) => new Uint32Array(buffer, region, length);
    const numbers = (region: number) => new Int32Array(buffer, region, ROWS);
    const octets = (region: number, length = ROWS) => new Uint8Array(buffer, region, length);
    this.#sequence = doubles(SEQUENCE);
    this.msisdn = doubles(MSISDN);
    this.#startTimeMs = doubles(START_TIME);
    this.#endTimeMs = doubles(END_TIME);
    this.#uplinkOctets = doubles(UPLINK);
    this.#downlinkOctets = doubles(DOWNLINK);
    this.#fingerprint = words(FINGERPRINT);
    this.#address = words(ADDRESS, ROWS * 4);
    this.#remotePort = new Uint16Array(buffer, REMOTE_PORT, ROWS);
    this.#protocol = octets(PROTOCOL);
    this.nodeText = numbers(NODE_TEXT);
    this.tagText = numbers(TAG_TEXT);
    this.sponsorText = numbers(SPONSOR_TEXT);
    this.aspText = numbers(ASP_TEXT);
    this.ratingGroup = numbers(RATING_GROUP);
    this.serviceIdentifier = numbers(SERVICE_IDENTIFIER);
    this.hasNetwork = octets(HAS_NETWORK);
    this.servingPlmnText = numbers(SERVING_PLMN_TEXT);
    this.ratType = numbers(RAT_TYPE);
    this.trackingAreaText = numbers(TRACKING_AREA_TEXT);
    this.detectedText = numbers(DETECTED_TEXT);
    this.detectedBy = octets(DETECTED_BY);
    this.accountText = numbers(ACCOUNT_TEXT);
    this.#contentType = octets(CONTENT_TYPE);
    this.keyDiffers = octets(KEY_DIFFERS);
    this.#octets = new Uint8Array(buffer);
    this.#run = new CopyRun(this.#octets);
    this.#datumStart = words(DATUM_START);
    this.#datumEnd = words(DATUM_END);
    this.#keyStart = words(KEY_START);
    this.#keyEnd = words(KEY_END);
    this.#latestTimeMs = doubles(LATEST_TIME);
    this.#layout = octets(LAYOUT);
    this.#columnFields = octets(COLUMN_FIELDS, FIELDS);
    this.#columnCount = words(COLUMN_COUNT, 1);
    this.#usage = doubles(USAGE, 1);
    this.#textCounts = words(TEXT_COUNTS, 3);
    this.#textEntries = words(TEXT_ENTRIES, (MAX_TEXTS * TEXT_ENTRY_BYTES) / 4);
    doubles(LIMITS, 2).set([MIN_TIME_MS, MAX_TIME_MS]);
    words(LIMITS + 16, 1)[0] = MAX_TEXT_LENGTH;
    CONTENT_TYPES.forEach((word, code) => {
      // A record that names no type has this code, and none may name it.
      if (word !== 'unknown') this.#octets.set(Buffer.from(word), CONTENT_WORDS + code * 8);
    });
    DETECTIONS.forEach((word, at) => {
      this.#octets.set(Buffer.from(word), DETECTION_WORDS + (at + 1) * 8);
    });
    DATUM_FIELDS.forEach(({ name, isText, isNullable }, field) => {
      this.#octets.set(Buffer.from(`${name}"`), FIELD_NAMES + field * FIELD_NAME_BYTES);
      this.#octets[FIELD_NAME_LENGTHS + field] = name.length + 1;
      this.#octets[FIELD_KINDS + field] = (isText ? TEXT : 0) | (isNullable ? NULLABLE : 0);
    });
  }

  /** Usage octets of the rows that the last `read` has read. */
  get usageOctets(): number {
    return this.#usage[0];
  }

  /** The text with this number. */
  text(number: number): string {
    const entry = (number * TEXT_ENTRY_BYTES) / 4;
    const place = this.#textEntries[entry + 2];
    return Buffer.from(this.#octets.buffer, place, this.#textEntries[entry + 1]).toString('latin1');
  }

  /** Copies records from `from` on into the input, and returns how many: at least one. Each is a row, the first is row 0. */
  load(records: readonly Incoming[], from: number, context: IngestContext): number {
    this.#makeRoomForTexts();
    const { plainDatum, columns } = context.decode;
    if (columns !== undefined) this.#setColumns(columns);
    const to = Math.min(records.length, from + ROWS);
    const run = this.#run;
    run.begin();
    let row = 0;
    for (; from + row < to; row++) {
      const record = records[from + row];
      const { octets, valueStart, valueEnd } = record;
      const isWhole = record.oversizedOctets === 0 && valueEnd - valueStart <= MAX_DATUM_OCTETS;
      const datum = isWhole && plainDatum !== undefined ? plainDatum(octets, valueStart, valueEnd) : NOT_PLAIN;
      if (datum === NOT_PLAIN) {
        // An empty datum is one that the kernel does not read.
        this.#datumStart[row] = 0;
        this.#datumEnd[row] = 0;
        continue;
      }
      const isKeyed = context.keyedByMsisdn && isKeyNear(record);
      const low = isKeyed && record.keyStart < valueStart ? record.keyStart : valueStart;
      const high = isKeyed && record.keyEnd > valueEnd ? record.keyEnd : valueEnd;
      const base = run.add(octets, low, high);
      if (base === null) break;
      this.#datumStart[row] = base + placeOf(datum);
      this.#datumEnd[row] = base + valueEnd;
      this.#layout[row] = layoutOf(datum);
      this.#keyStart[row] = isKeyed ? base + record.keyStart : 0;
      this.#keyEnd[row] = isKeyed ? base + record.keyEnd : 0;
      this.#latestTimeMs[row] = latestTimeOf(record.timestampMs, context.bookingDay, context.rules.maxFutureSkewMs);
    }
    run.end();
    return row;
  }

  /**
   * Reads the rows from `from` on, and returns the first that it did not read: one whose record the long way has to judge, the
   * one after that with which the usage octets reach `usageRoom`, or `to`.
   */
  read(from: number, to: number, usageRoom: number): number {
    return this.#exports.readRows(from, to, usageRoom);
  }

  /** How many of the rows [from, to) have an account and are keyed by their MSISDN. */
  keyedByMsisdnOnly(from: number, to: number): number {
    let count = 0;
    for (let row = from; row < to; row++) if (this.keyDiffers[row] === 0 && this.accountText[row] !== NO_TEXT) count++;
    return count;
  }

  /** Copies the rows [from, to) into a batch from its row `begin` on: all but what the lane and the rules number. */
  copyRows(from: number, to: number, batch: FlowBatch, begin: number): void {
    batch.localSequenceNumber.set(this.#sequence.subarray(from, to), begin);
    batch.fingerprint.set(this.#fingerprint.subarray(from, to), begin);
    batch.startTimeMs.set(this.#startTimeMs.subarray(from, to), begin);
    batch.endTimeMs.set(this.#endTimeMs.subarray(from, to), begin);
    batch.remoteAddress.set(this.#address.subarray(from * 4, to * 4), begin * 4);
    batch.remotePort.set(this.#remotePort.subarray(from, to), begin);
    batch.protocol.set(this.#protocol.subarray(from, to), begin);
    batch.contentType.set(this.#contentType.subarray(from, to), begin);
    batch.uplinkOctets.set(this.#uplinkOctets.subarray(from, to), begin);
    batch.downlinkOctets.set(this.#downlinkOctets.subarray(from, to), begin);
  }

  #setColumns(columns: readonly number[]): void {
    this.#columnFields.set(columns);
    this.#columnCount[0] = columns.length;
  }

  /** For all that the rows of one `load` could bring. */
  #makeRoomForTexts(): void {
    const texts = ROWS * TEXTS_A_ROW;
    const [count, octets, missed] = this.#textCounts;
    const hasRoom = count + texts <= MAX_TEXTS && octets + texts * (MAX_TEXT_LENGTH + 8) <= TEXT_OCTETS;
    if (hasRoom && missed < MAX_MISSED_TEXTS) return;
    this.#exports.forgetTexts();
    this.textGeneration = {};
  }
}

/** A key that is far from its value is compared by the long way. */
function isKeyNear({ keyStart, keyEnd, valueStart, valueEnd }: Incoming): boolean {
  return (
    keyStart >= 0 &&
    keyEnd > valueStart - MAX_KEY_OCTETS &&
    keyStart < valueEnd + MAX_KEY_OCTETS &&
    keyEnd - keyStart <= MAX_KEY_OCTETS
  );
}

/** Copies records into the input: those that are beside each other in one memory together, with what is between them. */
class CopyRun {
  readonly #to: Uint8Array;
  #octets: Uint8Array | null = null;
  #start = 0;
  #end = 0;
  /** Where the run is copied to. */
  #place = INPUT;

  constructor(to: Uint8Array) {
    this.#to = to;
  }

  begin(): void {
    this.#octets = null;
    this.#start = 0;
    this.#end = 0;
    this.#place = INPUT;
  }

  /**
   * Adds [start, end) of a memory. Returns what is to be added to a place in it, to get the place in the input: it may be
   * negative. Null if the input is full.
   */
  add(octets: Uint8Array, start: number, end: number): number | null {
    const isNext = octets === this.#octets && start >= this.#end && start - this.#end <= MAX_GAP_OCTETS;
    if (!isNext) {
      this.end();
      this.#place += this.#end - this.#start;
      this.#octets = octets;
      this.#start = start;
      this.#end = start;
    }
    const base = this.#place - this.#start;
    if (base + end > INPUT + INPUT_OCTETS) return null;
    this.#end = end;
    return base;
  }

  end(): void {
    const octets = this.#octets;
    if (octets === null || this.#end === this.#start) return;
    const isAll = this.#start === 0 && this.#end === octets.length;
    this.#to.set(isAll ? octets : octets.subarray(this.#start, this.#end), this.#place);
  }
}

/** Returns the kernel's functions and a memory of their own. */
export function loadAdmissionKernel(): KernelExports {
  return loadKernel<KernelExports>('#admission-kernel');
}

let kernel: AdmissionKernel | undefined;

/** Returns this thread's kernel: its memory is shared by all lanes, which it keeps nothing of. */
export function admissionKernel(): AdmissionKernel {
  kernel ??= new AdmissionKernel();
  return kernel;
}
