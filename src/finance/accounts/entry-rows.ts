import { int64Column, type NativeColumn, stringColumn } from '../../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { AccountEntry } from './account-entry.ts';

/** An account entry with what the store adds: its number and its time of booking. */
export interface StoredEntry extends AccountEntry {
  number: number;
  effectiveAtMs: number;
  bookedAtMs: number;
}

const INSTANT = "DateTime64(3, 'UTC')";
const FIELDS =
  'number, idempotency_key AS idempotencyKey, sponsor_id AS sponsorId, currency, kind, ' +
  'amount_micros AS amountMicros, toUnixTimestamp64Milli(effective_at) AS effectiveAtMs, ' +
  'toUnixTimestamp64Milli(booked_at) AS bookedAtMs, who, why';

/** Returns the columns of one row of `account_entries`. */
export function entryColumns(entry: StoredEntry): NativeColumn[] {
  const integer = (name: string, type: string, value: number) => int64Column(name, type, Float64Array.of(value));
  return [
    integer('number', 'UInt64', entry.number),
    stringColumn('idempotency_key', [entry.idempotencyKey]),
    stringColumn('sponsor_id', [entry.sponsorId]),
    stringColumn('currency', [entry.currency]),
    stringColumn('kind', [entry.kind]),
    integer('amount_micros', 'Int64', entry.amountMicros),
    integer('effective_at', INSTANT, entry.effectiveAtMs),
    integer('booked_at', INSTANT, entry.bookedAtMs),
    stringColumn('who', [entry.who]),
    stringColumn('why', [entry.why]),
  ];
}

/** Returns the entry that was booked under an idempotency key; null when there is none. */
export async function entryOfKey(store: Store, idempotencyKey: string): Promise<StoredEntry | null> {
  const rows = await store.query<StoredEntry>(
    `SELECT ${FIELDS} FROM account_entries WHERE idempotency_key = ${literal(idempotencyKey)} LIMIT 1`,
  );
  return rows.length === 0 ? null : storedEntry(rows[0]);
}

/** Returns the last suspension or resumption of each sponsor that has one. */
export async function lastSuspensions(store: Store): Promise<Map<string, StoredEntry>> {
  const rows = await store.query<StoredEntry>(
    `SELECT ${FIELDS} FROM account_entries WHERE kind IN ('suspension', 'resumption') ` +
      'ORDER BY number DESC LIMIT 1 BY sponsor_id',
  );
  return new Map(rows.map((row) => [row.sponsorId, storedEntry(row)]));
}

/** Returns what each sponsor was credited by entries and closings, by currency. */
export async function creditedMicros(store: Store): Promise<(sponsorId: string, currency: string) => bigint> {
  const rows = await store.query<Record<'sponsor' | 'currency' | 'micros', string>>(
    'SELECT sponsor, code AS currency, toString(sum(amount)) AS micros FROM (' +
      'SELECT sponsor_id AS sponsor, currency AS code, amount_micros AS amount FROM account_entries ' +
      'UNION ALL SELECT sponsor_id, currency, rounding_micros - tax_micros - flat_fee_micros - shortfall_micros + volume_rebate_micros ' +
      'FROM closings) GROUP BY sponsor, code',
  );
  const sums = new Map(rows.map(({ sponsor, currency, micros }) => [`${currency} ${sponsor}`, BigInt(micros)]));
  return (sponsorId, currency) => sums.get(`${currency} ${sponsorId}`) ?? 0n;
}

/** Converts numbers, which some interfaces return as text. */
function storedEntry(row: StoredEntry): StoredEntry {
  const { number, amountMicros, effectiveAtMs, bookedAtMs } = row;
  return {
    ...row,
    number: Number(number),
    amountMicros: Number(amountMicros),
    effectiveAtMs: Number(effectiveAtMs),
    bookedAtMs: Number(bookedAtMs),
  };
}
