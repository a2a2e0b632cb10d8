import { type MsisdnForms, NORMAL_FORM_ONLY } from './msisdn.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** No flow is older than this: a smaller number is of another unit than milliseconds. */
export const MIN_TIME_MS = Date.UTC(2000, 0, 1);
/** The last instant that a ClickHouse Date can name. */
export const MAX_TIME_MS = Date.UTC(2149, 5, 6);

/** What is configured about the values of records. */
export interface RecordRules {
  msisdn: MsisdnForms;
  /** How much later than its log's time a record's times may be; 0: any time will do. */
  maxFutureSkewMs: number;
}

export const PLAIN_RULES: RecordRules = { msisdn: NORMAL_FORM_ONLY, maxFutureSkewMs: 0 };

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
export function latestTimeOf(timestampMs: number | null, bookingDay: number, maxFutureSkewMs: number): number {
  if (maxFutureSkewMs === 0) return Number.POSITIVE_INFINITY;
  return (isLogTime(timestampMs) ? timestampMs : (bookingDay + 1) * DAY_MS) + maxFutureSkewMs;
}
