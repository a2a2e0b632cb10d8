import { TIME } from '../journal/journal-block.ts';
import { int64Column, stringColumn } from '../platform/native-block.ts';
import type { KeyState } from '../platform/pseudonym-key.ts';
import { literal, type Store } from '../platform/store.ts';
import { bookFact } from './book-fact.ts';

/**
 * The comparison of a key's history with the booked one. `older`: the store has erasures that the key does not have;
 * `newer`: the key has erasures that are not booked yet; `another`: the histories differ.
 */
export interface KeyComparison {
  verdict: 'same' | 'older' | 'newer' | 'another';
  /** States of a key that are booked; 0 before the first. */
  booked: number;
}

/** Compares a key's history with the one that is booked in the store. */
export async function compareKeyHistory(store: Store, history: readonly KeyState[]): Promise<KeyComparison> {
  const rows = await store.query<{ fingerprint: string }>('SELECT fingerprint FROM pseudonym_keys ORDER BY number');
  const booked = rows.length;
  const isShared = rows.every(({ fingerprint }, at) => at >= history.length || history[at].fingerprint === fingerprint);
  if (!isShared) return { verdict: 'another', booked };
  if (booked > history.length) return { verdict: 'older', booked };
  return { verdict: booked === history.length ? 'same' : 'newer', booked };
}

/**
 * Books the states of a key's history that the store does not have: its creation, and each erasure once. From then on an
 * engine with an older or another key is refused. Returns the comparison before that; an older and another key book nothing.
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

/** Returns whether the store has bookings under a pseudonym: a charge, or a rejected record. */
export async function hasBookings(store: Store, pseudonym: Uint8Array): Promise<boolean> {
  const hex = Buffer.from(pseudonym).toString('hex');
  const rows = await store.query(
    `SELECT 1 FROM journal WHERE kind IN ('charge', 'rejection') ` +
      `AND (subscriber = unhex('${hex}') OR position(payload, '~${hex}') > 0) LIMIT 1`,
  );
  return rows.length > 0;
}
