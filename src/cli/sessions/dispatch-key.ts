import { requireUsable } from '../../engine/running/load-key.ts';
import { compareKeyHistory } from '../../finance/key-history.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { compareKeyStates, parsePseudonymKey, type StoredPseudonymKey } from '../../platform/pseudonym-key.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { readDispatchConfig } from '../../sessions/dispatch/dispatch-config.ts';

/** The pseudonym key of a dispatch server, which is the one that the engine's store is booked with, in its newest state. */
export class DispatchKey {
  readonly #read: () => StoredPseudonymKey;
  readonly #logger: Logger;
  #stored: StoredPseudonymKey;
  /** Called with the key's newer state, which an erasure has made. */
  onReplaced: (key: PseudonymKey) => Promise<void> = async () => {};

  /** `read` returns the key that the configuration names now; throws a ConfigError where there is none. */
  constructor(read: () => StoredPseudonymKey, logger: Logger) {
    this.#read = read;
    this.#logger = logger;
    this.#stored = read();
  }

  get key(): PseudonymKey {
    return new PseudonymKey(this.#stored.generations);
  }

  get states(): readonly string[] {
    return this.#stored.history.map(({ fingerprint }) => fingerprint);
  }

  /** Takes a newer state of the key from its file. Throws a ConfigError for another key or an older state; false: it is as it was. */
  async reload(): Promise<boolean> {
    const next = this.#read();
    const { verdict } = compareKeyStates(
      this.states,
      next.history.map(({ fingerprint }) => fingerprint),
    );
    requireUsable({ verdict, booked: this.states.length });
    if (verdict === 'same') return false;
    this.#stored = next;
    await this.onReplaced(this.key);
    this.#logger.info({ erasures: next.history.length - 1 }, 'the pseudonym key was reloaded after an erasure');
    return true;
  }

  /**
   * Compares the key with the one that the store is booked with; after an erasure its file is read again. Rejects with a ConfigError
   * for another key, and with a StoreError (`pseudonym_key_replaced`) for an older state that the file still has.
   */
  async check(store: Store): Promise<void> {
    const comparison = await compareKeyHistory(store, this.#stored.history);
    if (comparison.verdict !== 'older') return requireUsable(comparison);
    if (await this.reload()) return this.check(store);
    throw new StoreError(
      'pseudonym_key_replaced',
      'a subscriber was erased from the pseudonym key, and this dispatch server has the key of before: give it the new key ' +
        'file and start it again',
    );
  }
}

/** Reads the key that a configuration file or the environment names. */
export function readDispatchKey(file: string): StoredPseudonymKey {
  return parsePseudonymKey(readDispatchConfig(file, process.env).secrets.pseudonymKey.reveal(), 'pseudonymKey');
}

/** Whether an error of `check` means that the server has to end, whatever comes later. */
export function isKeyFault(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'pseudonym_key_replaced' || code === 'bad_configuration';
}
