import { bookKeyHistory, compareKeyHistory } from '../../finance/key-history.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { KeyState } from '../../platform/pseudonym-key.ts';
import type { Facts } from '../../rating/rules.ts';
import { type LoadedKey, requireUsable } from './load-key.ts';

/** Registers in the store the key that an engine is about to book with. Throws a ConfigError for another key, and for an older one. */
export async function bookKey(store: Store, { history }: LoadedKey): Promise<void> {
  requireUsable(await bookKeyHistory(store, history, systemClock.nowMs()));
}

/**
 * The journal of an engine that is held to its key: once a subscriber is erased from the key, the next look at the facts ends
 * the engine, which still has the subscriber's pseudonym.
 */
export class KeyedJournal extends ClickHouseJournal {
  readonly #store: Store;
  readonly #history: readonly KeyState[];

  constructor(store: Store, { history }: LoadedKey) {
    super(store);
    this.#store = store;
    this.#history = history;
  }

  override async facts(): Promise<Facts> {
    const { verdict } = await compareKeyHistory(this.#store, this.#history);
    if (verdict === 'same') return super.facts();
    throw new StoreError(
      'pseudonym_key_replaced',
      'a subscriber was erased from the pseudonym key while this engine ran with the key of before: give it the new key file ' +
        'and start it again',
    );
  }
}
