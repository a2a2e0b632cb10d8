import { bookKeyHistory, compareKeyHistory } from '../../finance/key-history.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import {
  developmentKey,
  type KeyComparison,
  type KeyState,
  parsePseudonymKey,
  type StoredPseudonymKey,
} from '../../platform/pseudonym-key.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Facts } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';

export interface LoadedKey {
  key: PseudonymKey;
  history: readonly KeyState[];
}

type KeyConfig = Pick<Config, 'pseudonymKey' | 'pseudonymKeyFile' | 'store'>;

/** The configured pseudonym key, or the embedded store's development key, which is announced when it is made. */
export async function loadKey(config: KeyConfig, logger: Logger): Promise<LoadedKey> {
  const { pseudonymKey, pseudonymKeyFile, store } = config;
  if (pseudonymKey !== null)
    return loaded(parsePseudonymKey(pseudonymKey.reveal(), pseudonymKeyFile ?? 'pseudonymKey'));
  if (store.dir === undefined)
    throw new ConfigError('pseudonymKey: a ClickHouse server needs one; set ZERORATE_PSEUDONYM_KEY');
  const { key, path, isNew } = await developmentKey(store.dir);
  if (isNew) {
    logger.warn(
      { path },
      'made a development key for the pseudonyms of subscribers; set ZERORATE_PSEUDONYM_KEY for production',
    );
  }
  return loaded(key);
}

/** The same for who reads a store with it: throws a ConfigError for a key that the store is not booked with. */
export async function loadKeyOf(store: Store, config: KeyConfig, logger: Logger): Promise<LoadedKey> {
  const loaded = await loadKey(config, logger);
  requireUsable(await compareKeyHistory(store, loaded.history));
  return loaded;
}

/** Throws a ConfigError that says what to do about another key, or an older one. */
export function requireUsable({ verdict, booked }: KeyComparison): void {
  if (verdict === 'older') {
    throw new ConfigError(
      `pseudonymKey: this key is older than the store: ${erasures(booked - 1)} booked there, and subscribers who were ` +
        'erased would be known by it again; take the newest key file, and destroy this one',
    );
  }
  if (verdict === 'another') {
    throw new ConfigError(
      'pseudonymKey: this is not the key that the store is booked with: every subscriber would be a new one, with a quota of ' +
        'its own; name the key that it was begun with, or its newest copy',
    );
  }
}

function loaded({ generations, history }: StoredPseudonymKey): LoadedKey {
  return { key: new PseudonymKey(generations), history };
}

function erasures(count: number): string {
  return count === 1 ? 'an erasure is' : `${count} erasures are`;
}

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
