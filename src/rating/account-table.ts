import type { AdmissionKernel } from './admission-kernel.ts';
import type { FlowBatch } from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import { TextNumbers } from './names.ts';
import type { SubscriberTable } from './subscribers.ts';

/** Some 100 MiB: with more accounts in a lane, pseudonyms are computed again now and then. */
const MAX_REMEMBERED = 1_000_000;

/**
 * The customers' accounts of one lane. An account has counters as a subscriber has: it is its pseudonym in the lane's table of subscribers,
 * and the way from the account to the pseudonym is remembered.
 */
export class AccountTable {
  readonly #pseudonymOf: (accountId: string) => Uint8Array;
  readonly #subscribers: SubscriberTable;
  readonly #numbers = new Map<string, number>();
  readonly #ofKernel = new TextNumbers((accountId) => this.ofAccount(accountId));

  constructor(pseudonymOf: (accountId: string) => Uint8Array, subscribers: SubscriberTable) {
    this.#pseudonymOf = pseudonymOf;
    this.#subscribers = subscribers;
  }

  /** Index of the account's pseudonym in the table of subscribers. */
  ofAccount(accountId: string): number {
    const known = this.#numbers.get(accountId);
    if (known !== undefined) return known;
    const number = this.#subscribers.ofPseudonym(this.#pseudonymOf(accountId));
    if (this.#numbers.size >= MAX_REMEMBERED) this.#numbers.clear();
    this.#numbers.set(accountId, number);
    return number;
  }

  /** Fills `account` of the kernel's rows [from, to), which are a batch's from `begin` on: a record without one counts for its subscriber. */
  take(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    const { accountText } = kernel;
    for (let row = from, at = begin; row < to; row++, at++) {
      const text = accountText[row];
      batch.account[at] = text === NO_TEXT ? batch.subscriber[at] : this.#ofKernel.of(kernel, text);
    }
  }

  /** From here on pseudonyms of accounts are computed again. Accounts keep their indexes. */
  forget(): void {
    this.#numbers.clear();
    this.#ofKernel.clear();
  }
}
