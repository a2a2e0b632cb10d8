import { literal } from '../../platform/clickhouse/store.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import type { EntryKind, PostedKind } from './account-entry.ts';

/** A row of `accountQuery` as JSON has it: money in micro-units as decimal text, instants as `2026-11-01 12:00:00.000` UTC. */
export interface AccountRow {
  sponsor_id: string;
  currency: string;
  credited_micros: string;
  charged_micros: string;
  /** Credited - charged. */
  balance_micros: string;
  credit_limit_micros: string;
  /** What may still be charged before the sponsor is suspended: balance + credit limit. */
  left_micros: string;
  suspended: boolean;
  /** When the first suspension since the last resumption took effect; null: not suspended. By and why: of the last one. */
  suspended_since: string | null;
  suspended_by: string;
  suspended_why: string;
  /** In the order in which they were booked. */
  entries: AccountEntryRow[];
}

export interface AccountEntryRow {
  number: string;
  kind: EntryKind | PostedKind;
  amount_micros: string;
  currency: string;
  effective_at: string;
  booked_at: string;
  idempotency_key: string;
  who: string;
  why: string;
}

const ENTRY_FIELDS = [
  'number UInt64',
  'kind String',
  'amount_micros Int64',
  'currency String',
  "effective_at DateTime64(3, ''UTC'')",
  "booked_at DateTime64(3, ''UTC'')",
  'idempotency_key String',
  'who String',
  'why String',
];

/** Returns the SQL of one row: a sponsor's current account. */
export function accountQuery({ id, currency, creditLimitMicros }: Sponsor): string {
  const ofSponsor = `sponsor_id = ${literal(id)}`;
  const names = ENTRY_FIELDS.map((field) => field.split(' ')[0]).join(', ');
  const lastResumption = `(SELECT max(number) FROM account_entries WHERE ${ofSponsor} AND kind = 'resumption')`;
  const isCurrent = `kind = 'suspension' AND number > ${lastResumption}`;
  return (
    `SELECT ${literal(id)} AS sponsor_id, ${literal(currency)} AS currency, credited_micros, charged_micros, ` +
    `credited_micros - charged_micros AS balance_micros, toInt64(${creditLimitMicros}) AS credit_limit_micros, ` +
    'balance_micros + credit_limit_micros AS left_micros, ' +
    'toBool(suspended_since IS NOT NULL) AS suspended, suspended_since, suspended_by, suspended_why, entries FROM ' +
    '(SELECT sum(b.credited_micros) AS credited_micros, sum(b.charged_micros) AS charged_micros ' +
    `FROM account_balances AS b WHERE ${ofSponsor} AND currency = ${literal(currency)}) AS balance, ` +
    `(SELECT minOrNullIf(effective_at, ${isCurrent}) AS suspended_since, argMaxIf(who, number, ${isCurrent}) AS suspended_by, ` +
    `argMaxIf(why, number, ${isCurrent}) AS suspended_why, ` +
    `arraySort(entry -> (entry.booked_at, entry.number), groupArray(CAST((${names}), 'Tuple(${ENTRY_FIELDS.join(', ')})'))) AS entries ` +
    `FROM account_postings WHERE ${ofSponsor}) AS entry ` +
    // A program that reads JSON numbers as doubles would round them.
    'SETTINGS output_format_json_quote_64bit_integers = 1'
  );
}
