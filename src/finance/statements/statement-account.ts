import type { Store } from '../../platform/clickhouse/store.ts';
import { type Coverage, coveredEarlier, coveredEntries } from '../closing/coverage.ts';
import type { StatementEntry } from './statement-document.ts';

/** The opening balance of a statement. */
export interface Opening {
  openingMicros: bigint;
  /** True: it cannot change, whatever is booked later. */
  isOpeningFinal: boolean;
  /** Currencies of its parts. */
  currencies: readonly string[];
}

/** Reads the balance of the last closing; while months between are open, with what is booked of them so far. */
export async function readOpening(store: Store, coverage: Coverage): Promise<Opening> {
  const { closing, previous, hasAdjustments } = coverage;
  const closed = previous === null ? [] : [previous.currency];
  if (closing !== null) return { openingMicros: closing.openingMicros, isOpeningFinal: true, currencies: closed };
  const closedMicros = previous?.closingMicros ?? 0n;
  if (hasAdjustments) return { openingMicros: closedMicros, isOpeningFinal: true, currencies: closed };
  const { bookings, entries } = coveredEarlier(coverage);
  const [{ credited, charged, rows, others }] = await store.query<{
    credited: string;
    charged: string;
    rows: number;
    others: string[];
  }>(
    'SELECT toString(sum(credited)) AS credited, toString(sum(charged)) AS charged, count() AS rows, ' +
      'groupUniqArray(currency) AS others FROM (' +
      `SELECT currency, amount_micros AS credited, toInt64(0) AS charged FROM account_entries WHERE ${entries} ` +
      `UNION ALL SELECT currency, toInt64(0), charge_micros FROM bookings WHERE ${bookings})`,
  );
  return {
    openingMicros: closedMicros + BigInt(credited) - BigInt(charged),
    isOpeningFinal: Number(rows) === 0 && previous === null,
    currencies: [...closed, ...others],
  };
}

/** Returns the covered account entries, in the order of booking. */
export async function readEntries(
  store: Store,
  coverage: Coverage,
): Promise<(StatementEntry & { currency: string })[]> {
  const rows = await store.query<Record<string, string | number>>(
    'SELECT number, toString(kind) AS what, toString(amount_micros) AS micros, ' +
      'currency, toUnixTimestamp64Milli(effective_at) AS effective_ms, toUnixTimestamp64Milli(booked_at) AS booked_ms, who, why ' +
      `FROM account_entries WHERE ${coveredEntries(coverage)} ORDER BY number`,
  );
  return rows.map((row) => ({
    number: Number(row.number),
    currency: String(row.currency),
    kind: String(row.what),
    amountMicros: BigInt(row.micros),
    effectiveAt: new Date(Number(row.effective_ms)).toISOString(),
    bookedAt: new Date(Number(row.booked_ms)).toISOString(),
    who: String(row.who),
    why: String(row.why),
  }));
}
