import type { RetryPolicy } from '../../journal/journal.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { bookFact, lastNumber } from '../book-fact.ts';
import { type AccountEntry, describeEntry, type EntryRefusal, entryRefusal } from './account-entry.ts';
import { suspendedBy } from './credit-rules.ts';
import { entryColumns, entryOfKey, lastSuspensions, type StoredEntry } from './entry-rows.ts';

/** Outcome of an entry. `existing`: it was booked before, under this number. */
export type EntryOutcome =
  | { outcome: 'booked' | 'existing'; number: number; refusal?: undefined }
  | { outcome: 'refused'; refusal: EntryRefusal; number?: undefined };

/**
 * Books an entry under the next number, once for each idempotency key. A fenced writer reads the current entries and tries
 * again. Rejects with a StoreError.
 */
export async function bookEntry(
  store: Store,
  entry: AccountEntry,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>,
): Promise<EntryOutcome> {
  for (;;) {
    // The number is read first: an entry that is booked after that fences this writer.
    const number = (await lastNumber(store, 'account_entries')) + 1;
    const existing = await entryOfKey(store, entry.idempotencyKey);
    if (existing !== null) return outcomeOf(entry, existing);
    const refusal = await stateRefusal(store, entry);
    if (refusal !== null) return { outcome: 'refused', refusal };
    if ((await bookEntryAt(store, entry, number, clock)) === 'booked') return { outcome: 'booked', number };
  }
}

/** Books an entry under this number or not at all. */
export function bookEntryAt(
  store: Store,
  entry: AccountEntry,
  number: number,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>,
  retry?: RetryPolicy,
): Promise<'booked' | 'fenced'> {
  const bookedAtMs = clock.nowMs();
  const stored: StoredEntry = { ...entry, number, bookedAtMs, effectiveAtMs: entry.effectiveAtMs ?? bookedAtMs };
  const fact = {
    table: 'account_entries' as const,
    number,
    columns: entryColumns(stored),
    guard: `(SELECT count() FROM account_entries WHERE idempotency_key = ${literal(entry.idempotencyKey)}) > 0`,
    // Writers of the same entry in the same millisecond each find their own: it is booked once, and nothing distinguishes
    // them.
    async isOurs() {
      const existing = await entryOfKey(store, entry.idempotencyKey);
      return existing?.number === number && existing.bookedAtMs === bookedAtMs && isSame(stored, existing);
    },
  };
  return bookFact(store, fact, retry, clock);
}

function outcomeOf(entry: AccountEntry, existing: StoredEntry): EntryOutcome {
  if (isSame(entry, existing)) return { outcome: 'existing', number: existing.number };
  const { number, who, idempotencyKey } = existing;
  const message =
    `key "${idempotencyKey}" is used by entry ${number}, ${describeEntry(existing)}, booked by ${who}; ` +
    'use another key for another entry';
  return { outcome: 'refused', refusal: entryRefusal('key_used', message) };
}

/** Compares everything that was requested. An instant that was left out is not compared: it is the time of booking. */
function isSame(entry: AccountEntry, existing: StoredEntry): boolean {
  const fields = ['kind', 'sponsorId', 'currency', 'amountMicros', 'who', 'why'] as const;
  return (
    fields.every((field) => entry[field] === existing[field]) &&
    (entry.effectiveAtMs === null || entry.effectiveAtMs === existing.effectiveAtMs)
  );
}

/**
 * Refuses what the sponsor's state does not allow. A suspension by hand may follow one of the watcher's: then only a
 * resumption by hand ends it.
 */
async function stateRefusal(store: Store, { kind, sponsorId }: AccountEntry): Promise<EntryRefusal | null> {
  if (kind !== 'suspension' && kind !== 'resumption') return null;
  const last = (await lastSuspensions(store)).get(sponsorId);
  const by = suspendedBy(last);
  if (kind === 'resumption' && by === 'none') return entryRefusal('not_suspended', `${sponsorId} is not suspended`);
  if (kind === 'suspension' && by === 'hand' && last !== undefined) {
    return entryRefusal('suspended_already', `${sponsorId} is suspended already, by ${last.who}: ${last.why}`);
  }
  return null;
}
