import { leafHash } from './merkle.ts';

/** ISO 8601 with milliseconds, independent of the store's settings for times. */
const START_TIME =
  "concat(formatDateTime(start_time, '%FT%T'), '.', leftPad(toString(toUnixTimestamp64Milli(start_time) % 1000), 3, '0'), 'Z')";

/**
 * The fields of an exported row of `bookings`: each as a text, whose bytes the proof is computed over. `text` is the
 * ClickHouse expression of it; `value` is a typed one where that differs.
 */
const FIELDS = [
  { name: 'topic', text: 'topic' },
  { name: 'partition', text: 'partition' },
  { name: 'offset', text: 'offset' },
  { name: 'origin', text: 'origin' },
  { name: 'correction_number', text: 'correction_number' },
  { name: 'booking_date', text: 'booking_date' },
  { name: 'month', text: 'substring(toString(month), 1, 7)' },
  { name: 'period_start', text: 'period_start' },
  { name: 'sponsor_id', text: 'sponsor_id' },
  { name: 'application_id', text: 'application_id' },
  { name: 'plan_id', text: 'plan_id' },
  { name: 'plan_version', text: 'plan_version' },
  { name: 'subscriber', text: 'lower(hex(subscriber))' },
  { name: 'evidence', text: 'toString(evidence)' },
  { name: 'content_type', text: 'toString(content_type)' },
  { name: 'start_time', text: START_TIME, value: 'start_time' },
  { name: 'reason', text: 'reason' },
  { name: 'sponsored_octets', text: 'sponsored_octets' },
  { name: 'subscriber_octets', text: 'subscriber_octets' },
  { name: 'charge_micros', text: 'charge_micros' },
  { name: 'currency', text: 'currency' },
  { name: 'used_octets_after', text: 'used_octets_after' },
] as const satisfies readonly { name: string; text: string; value?: string }[];

export type RowField = (typeof FIELDS)[number]['name'];
export const ROW_FIELDS: readonly RowField[] = FIELDS.map(({ name }) => name);

/** A row's fields as texts. */
export type ExportedRow = Readonly<Record<RowField, string>>;

/** Names the form in the bytes of every leaf, so that no leaf of another form can be equal. */
const ROW_FORM = 'zerorate-row-1';

/** Order of the rows in the tree and in an export. No two rows are equal in it. */
export const ROW_ORDER = 'topic, partition, offset, correction_number, origin DESC';

/** `SELECT` list of an export to CSV: exactly the hashed texts. */
export const CSV_COLUMNS = FIELDS.map(({ text }) => text).join(', ');

/** `SELECT` list of an export with types. */
export const TYPED_COLUMNS = FIELDS.map(
  (field) => `${'value' in field ? field.value : field.text} AS ${field.name}`,
).join(', ');

/** ClickHouse expression: the leaf of a row of `bookings`, 32 bytes. The same as `rowLeaf`. */
export const LEAF_EXPRESSION = `SHA256(concat(char(0), '${ROW_FORM}', ${FIELDS.map(({ text }) => {
  const octets = `toString(${text})`;
  return `toString(length(${octets})), ':', ${octets}`;
}).join(', ')}))`;

/**
 * Returns the leaf of a row: the hash of `zerorate-row-1` and, for each field in order, its length in bytes, a colon and its
 * text. The lengths make the text unique to the row.
 */
export function rowLeaf(row: ExportedRow): Uint8Array {
  let text = ROW_FORM;
  for (const name of ROW_FIELDS) {
    const value = row[name];
    text += `${Buffer.byteLength(value)}:${value}`;
  }
  return leafHash(Buffer.from(text));
}
