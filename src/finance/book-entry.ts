import type { RetryPolicy } from '../journal/insert-once.ts';
import type { Clock } from '../platform/clock.ts';
import { literal, type Store } from '../platform/store.ts';
import { type AccountEntry, describeEntry, type Refusal, refused } from './account-entry.ts';
import { bookFact, lastNumber } from './book-fact.ts';
import { suspendedBy } from './credit-rules.ts';
import { entryColumns, entryOfKey, lastSuspensions, type StoredEntry } from './entry-rows.ts';

/** What became of an entry. `standing`: it was booked before, under this number. */
export type EntryOutcome =
  | { outcome: 'booked' | 'standing'; number: number; refusal?: undefined }
  | { outcome: 'refused'; refusal: Refusal; number?: undefined };

/**
 * Books an entry under the next number, once for each idempotency key. A writer that is outrun begins again at what stands
 * now. Rejects with a StoreError.
 */
export async function bookEntry(
  store: Store,
  entry: AccountEntry,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>,
): Promise<EntryOutcome> {
  for (;;) {
    // The number is read first: whatever is booked after that outruns this writer.
    const number = (await lastNumber(store, 'account_entries')) + 1;
    const standing = await entryOfKey(store, entry.idempotencyKey);
    if (standing !== null) return outcomeOf(entry, standing);
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
    // Writers of the same entry in the same millisecond each find theirs: it stands once, and nothing tells them apart.
    async isOurs() {
      const standing = await entryOfKey(store, entry.idempotencyKey);
      return standing?.number === number && standing.bookedAtMs === bookedAtMs && isSame(stored, standing);
    },
  };
  return bookFact(store, fact, retry, clock);
}

function outcomeOf(entry: AccountEntry, standing: StoredEntry): EntryOutcome {
  if (isSame(entry, standing)) return { outcome: 'standing', number: standing.number };
  const { number, who, idempotencyKey } = standing;
  const message =
    `key "${idempotencyKey}" stands for entry ${number}, ${describeEntry(standing)}, booked by ${who}; ` +
    'what differs from it needs a key of its own';
  return { outcome: 'refused', refusal: refused('key_used', message) };
}

/** Everything that was asked for. An instant that was left out is not compared: it was when the entry was booked. */
function isSame(entry: AccountEntry, standing: StoredEntry): boolean {
  const fields = ['kind', 'sponsorId', 'currency', 'amountMicros', 'who', 'why'] as const;
  return (
    fields.every((field) => entry[field] === standing[field]) &&
    (entry.effectiveAtMs === null || entry.effectiveAtMs === standing.effectiveAtMs)
  );
}

/** A suspension by hand may follow one of the watcher's: then it stays until it is taken back by hand. */
async function stateRefusal(store: Store, { kind, sponsorId }: AccountEntry): Promise<Refusal | null> {
  if (kind !== 'suspension' && kind !== 'resumption') return null;
  const last = (await lastSuspensions(store)).get(sponsorId);
  const by = suspendedBy(last);
  if (kind === 'resumption' && by === 'nobody') return refused('not_suspended', `${sponsorId} is not suspended`);
  if (kind === 'suspension' && by === 'hand' && last !== undefined) {
    return refused('suspended_already', `${sponsorId} is suspended already, by ${last.who}: ${last.why}`);
  }
  return null;
}
