import type { Fault } from './outcome.ts';
import { type MsisdnForms, NORMAL_FORM_ONLY } from './record/msisdn.ts';

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
}

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
]);

/** The texts of a record, by their place in `FlowFields.spans`. */
export const NODE_ID = 0;
export const SERVED_MSISDN = 1;
export const ZERO_RATING_TAG = 2;
export const SPONSOR_IDENTITY = 3;
export const ASP_IDENTITY = 4;
/** Texts that only the reader looks at. */
export const OTHER_TEXT = 5;
const TEXTS = 6;

/** The start of a text that is null. */
export const NULL = -1;

/**
 * What rating needs of one valid flow record, in its octets: where the texts are, and the numbers. It is filled again for each record,
 * so that reading one makes no object and no string. All texts are ASCII.
 */
export class FlowFields {
  octets: Uint8Array = new Uint8Array(0);
  /** Where in `octets` the record is, as `canonicalDatum` writes it. */
  datumStart = 0;
  datumEnd = 0;
  /** Start and end of each text in `octets`. */
  readonly spans = new Int32Array(TEXTS * 2);
  /** The MSISDN's digits after a 1, which keeps leading zeros apart: at most 16 digits, exact in a double. */
  msisdnKey = 0;
  localSequenceNumber = 0;
  startTimeMs = 0;
  endTimeMs = 0;
  uplinkOctets = 0;
  downlinkOctets = 0;
  /** Four words, as `parseIp` writes them. */
  readonly remoteAddress = new Uint32Array(4);
  /** Whether it has an identity of its sponsor or its provider; where not, their spans are not filled. */
  hasIdentities = false;
  /** Code of the content type. */
  contentType = 0;
}

/** Reads the record in `octets` from `start` to `end` that is valid and of the usual shape; false for all others, which `Decoder` and the validation judge. */
type FlowReader = (octets: Uint8Array, start: number, end: number, fields: FlowFields) => boolean;

/** Fields as they stand in a source's record: named, not yet validated. */
export type Candidate = Record<string, unknown>;

/** `fault` when the bytes are no record at all; otherwise the fields, for `validateFlowRecord` to judge. */
export type Decoded = { candidate: Candidate; fault?: undefined } | { candidate?: undefined; fault: Fault };

/** Turns one record's bytes into fields. Never throws on bad input. */
export interface Decoder {
  (value: Uint8Array): Decoded;
  /** The short way, where there is one: it gives what the long way gives, or nothing. */
  readFlow?: FlowReader;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** No flow is older than this: a smaller number is of another unit than milliseconds. */
export const MIN_TIME_MS = Date.UTC(2000, 0, 1);
/** The last instant that a ClickHouse Date can name. */
export const MAX_TIME_MS = Date.UTC(2149, 5, 6);

/** What is configured about the values of records. */
export interface RecordRules {
  msisdn: MsisdnForms;
  /** How much later than its log's time a record's times may be; 0: any time will do. */
  maxFutureMs: number;
}

export const PLAIN_RULES: RecordRules = { msisdn: NORMAL_FORM_ONLY, maxFutureMs: 0 };

/** What one record is checked against beside the types and ranges of its fields. */
export interface RecordLimits {
  msisdn: MsisdnForms;
  /** The last instant that its times may name. */
  latestTimeMs: number;
}

export const PLAIN_LIMITS: RecordLimits = { msisdn: NORMAL_FORM_ONLY, latestTimeMs: Number.POSITIVE_INFINITY };

/** Whether a log's timestamp is one: some producers leave it at 0, or write seconds. */
export function isLogTime(timestampMs: number | null): timestampMs is number {
  return timestampMs !== null && timestampMs >= MIN_TIME_MS;
}

/**
 * The last instant that a record's times may name. Its log's time is its own timestamp (Kafka), and where it has none the end of
 * the day (UTC) on which its batch was booked: both can be read again, so a replay decides as the engine did.
 */
export function latestTimeOf(timestampMs: number | null, bookingDay: number, maxFutureMs: number): number {
  if (maxFutureMs === 0) return Number.POSITIVE_INFINITY;
  return (isLogTime(timestampMs) ? timestampMs : (bookingDay + 1) * DAY_MS) + maxFutureMs;
}

/** Seconds from 1900 to 1970 (NTP), and milliseconds from 1601 to 1970 (Windows). */
const NTP_SECONDS = 2_208_988_800;
const WINDOWS_MS = 11_644_473_600_000;

/** Units that exporters write, as milliseconds since 1970. The first that gives a plausible time names a number. */
const UNITS: readonly (readonly [name: string, toMs: (value: number) => number])[] = [
  ['seconds since 1970', (value) => value * 1000],
  ['seconds since 1900 (NTP)', (value) => (value - NTP_SECONDS) * 1000],
  ['microseconds since 1970', (value) => value / 1000],
  ['nanoseconds since 1970', (value) => value / 1e6],
  ['100-nanosecond intervals since 1601 (Windows)', (value) => value / 1e4 - WINDOWS_MS],
];
/** A unit is guessed for times that a record can have today. */
const LAST_GUESSED_MS = Date.UTC(2070, 0, 1);

/** What a number that is no time in milliseconds looks like, as `; it looks like ...`; empty if like nothing known. */
export function unitHint(value: number): string {
  const unit = UNITS.find(([, toMs]) => toMs(value) >= MIN_TIME_MS && toMs(value) < LAST_GUESSED_MS);
  return unit === undefined ? '' : `; it looks like ${unit[0]}`;
}
