import { TIME } from '../journal/journal-block.ts';
import { int64Column, stringColumn } from '../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../platform/clickhouse/store.ts';
import { compareKeyStates, type KeyComparison, type KeyState } from '../platform/pseudonym-key.ts';
import { bookFact } from './book-fact.ts';

/** Compares a key's history with the one that the store is booked with. */
export async function compareKeyHistory(store: Store, history: readonly KeyState[]): Promise<KeyComparison> {
  const rows = await store.query<{ fingerprint: string }>('SELECT fingerprint FROM pseudonym_keys ORDER BY number');
  return compareKeyStates(
    rows.map(({ fingerprint }) => fingerprint),
    history.map(({ fingerprint }) => fingerprint),
  );
}

/**
 * Books what the store does not know yet of a key's history: its beginning, and each erasure once. From then on an engine
 * with an older key, or another, is refused. Returns the key's state before that; an older and another key book nothing.
 */
export async function bookKeyHistory(
  store: Store,
  history: readonly KeyState[],
  nowMs: number,
): Promise<KeyComparison> {
  const before = await compareKeyHistory(store, history);
  for (let now = before; now.verdict === 'newer'; now = await compareKeyHistory(store, history)) {
    // A fenced writer compares again: another engine may have booked the same state.
    await bookState(store, now.booked + 1, history[now.booked], nowMs);
  }
  return before;
}

function bookState(store: Store, number: number, state: KeyState, nowMs: number): Promise<'booked' | 'fenced'> {
  const { fingerprint, erasedAt, who, why } = state;
  const instant = (name: string, ms: number) => int64Column(name, TIME, Float64Array.of(ms));
  const columns = [
    int64Column('number', 'UInt64', Float64Array.of(number)),
    stringColumn('fingerprint', [fingerprint]),
    instant('effective_at', erasedAt === null ? nowMs : Date.parse(erasedAt)),
    instant('booked_at', nowMs),
    stringColumn('who', [who]),
    stringColumn('why', [why]),
  ];
  const isOurs = async () => {
    const sql = `SELECT 1 FROM pseudonym_keys WHERE number = ${number} AND fingerprint = ${literal(fingerprint)}`;
    return (await store.query(sql)).length > 0;
  };
  return bookFact(store, { table: 'pseudonym_keys', number, columns, isOurs });
}

/** Whether anything is in the store under a pseudonym: a charge, a rejected record, an account's counter, or an opt-in to a campaign. */
export async function hasBookings(store: Store, pseudonym: Uint8Array): Promise<boolean> {
  const hex = Buffer.from(pseudonym).toString('hex');
  const rows = await store.query(
    `SELECT 1 FROM journal WHERE kind IN ('charge', 'rejection') ` +
      `AND (subscriber = unhex('${hex}') OR position(payload, '~${hex}') > 0) LIMIT 1 ` +
      `UNION ALL SELECT 1 FROM corrections WHERE kind != 'head' AND subscriber = unhex('${hex}') LIMIT 1 ` +
      `UNION ALL SELECT 1 FROM journal ARRAY JOIN further_quotas AS moved WHERE kind = 'batch' AND moved.subscriber = unhex('${hex}') LIMIT 1 ` +
      `UNION ALL SELECT 1 FROM campaign_facts WHERE subscriber = unhex('${hex}') LIMIT 1`,
  );
  return rows.length > 0;
}
