import { literal, type Row, type Store } from '../../platform/clickhouse/store.ts';
import type { Finding, FraudRange, FraudRule } from './finding.ts';

const DAY_MS = 86_400_000;
const NO_FIGURES = ['sponsor', 'application', 'subject', 'threshold'];

/** Returns a day as a ClickHouse Date. */
export function dateOf(day: number): string {
  return `toDate(${literal(new Date(day * DAY_MS).toISOString().slice(0, 10))})`;
}

const COLUMNS =
  'sponsor_id, application_id, plan_id, period_start, subscriber, evidence, content_type, start_time, end_time, node_id, ' +
  'local_sequence_number, uplink_octets, downlink_octets, sponsored_octets, charge_micros, currency, used_octets_after, topic, partition';

/** Returns the charges of usage that began in the range, for a FROM: as booked, and those that a correction charged first. */
export function chargesIn({ fromDay, toDay }: FraudRange): string {
  const instant = (day: number) => `toDateTime64(${dateOf(day)}, 3, 'UTC')`;
  const began = `start_time >= ${instant(fromDay)} AND start_time < ${instant(toDay)}`;
  return (
    `(SELECT ${COLUMNS} FROM journal WHERE kind = 'charge' AND ${began} ` +
    `UNION ALL SELECT ${COLUMNS} FROM sponsored_later WHERE ${began}) WHERE true`
  );
}

/** A subscriber's pseudonym as it is shown. */
export const SUBJECT = 'lower(hex(subscriber)) AS subject';

/** Quantiles by complete sorting, which are the same in every run. */
export const median = (expression: string) => `quantileExact(0.5)(${expression})`;

/**
 * Reads a rule's findings. The statement returns `sponsor`, `application`, `subject` and `threshold`; its other columns are
 * the figures. Rejects with a StoreError.
 */
export async function readFindings(store: Store, rule: FraudRule, sql: string): Promise<Finding[]> {
  return (await store.query(sql)).map((row) => ({
    rule,
    sponsorId: String(row.sponsor),
    applicationId: String(row.application),
    subject: String(row.subject),
    figures: figuresOf(row),
    threshold: String(row.threshold),
  }));
}

function figuresOf(row: Row): Record<string, string | number> {
  const figures = Object.entries(row).filter(([name]) => !NO_FIGURES.includes(name));
  return Object.fromEntries(figures.map(([name, value]) => [name, figureOf(value)]));
}

/** Converts integers of 64 bits, which some interfaces return as text. */
function figureOf(value: unknown): string | number {
  if (typeof value === 'number') return value;
  const text = String(value);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}
