import type { Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { lastNumber } from '../book-fact.ts';
import { RepeatedCheck, type RepeatedCheckOptions } from '../repeated-check.ts';
import type { AccountEntry } from './account-entry.ts';
import { bookEntryAt } from './book-entry.ts';
import { ChargeTotals } from './charge-totals.ts';
import { creditDecision, creditReason, type SuspendedBy, suspendedBy, WATCHER, WATCHER_KEYS } from './credit-rules.ts';
import { creditedMicros, lastSuspensions } from './entry-rows.ts';

/** A failed entry is decided again by the next check. */
const ONE_ATTEMPT = { firstDelayMs: 0, maxDelayMs: 0, giveUpAfterMs: -1 };

/** A sponsor's account in one check. */
export interface WatchedAccount {
  sponsor: Sponsor;
  balanceMicros: bigint;
  suspendedBy: SuspendedBy;
}

export interface CreditWatcherOptions extends RepeatedCheckOptions {
  store: Store;
  /** The sponsors to watch, until `watch` replaces them. */
  sponsors: readonly Sponsor[];
  clock: Clock;
  /** Called with every suspension and resumption that this watcher has booked. */
  onBooked?: (entry: AccountEntry) => void;
  /** Called with all accounts after a check. */
  onLooked?: (accounts: readonly WatchedAccount[]) => void;
}

/**
 * Suspends sponsors whose balance is past their credit limit, and resumes those that are back within it. It queries the
 * store at intervals, beside the engines, which read the suspensions when they begin a batch. There may be several watchers:
 * an entry is booked directly after the entries that it was decided by, or not at all. Inert until `start`.
 */
export class CreditWatcher {
  readonly #options: CreditWatcherOptions;
  readonly #charges: ChargeTotals;
  #sponsors: readonly Sponsor[];
  readonly #checks: RepeatedCheck;

  constructor(options: CreditWatcherOptions) {
    this.#options = options;
    this.#checks = new RepeatedCheck(options, () => this.check());
    this.#sponsors = options.sponsors;
    this.#charges = new ChargeTotals(options.store);
  }

  /** Replaces the watched sponsors, from the next check on. */
  watch(sponsors: readonly Sponsor[]): void {
    this.#sponsors = sponsors;
  }

  /** Checks at intervals. A check begins one interval after the end of the previous one. */
  start(): void {
    this.#checks.start();
  }

  /** Resolves when no check is running, and none will start. */
  stop(): Promise<void> {
    return this.#checks.stop();
  }

  /** Checks all balances and books what follows: at most one entry for a sponsor. Rejects with a StoreError. */
  async check(): Promise<AccountEntry[]> {
    const { store, clock, onBooked = () => {}, onLooked = () => {} } = this.#options;
    const booked: AccountEntry[] = [];
    for (;;) {
      // The number is read first: an entry that is booked after that fences what is decided here.
      const last = await lastNumber(store, 'account_entries');
      const accounts = await this.#look();
      const entry = due(accounts, last, booked);
      if (entry === null) {
        onLooked(accounts);
        return booked;
      }
      if ((await bookEntryAt(store, entry, last + 1, clock, ONE_ATTEMPT)) === 'fenced') continue;
      booked.push(entry);
      onBooked(entry);
    }
  }

  async #look(): Promise<WatchedAccount[]> {
    const { store } = this.#options;
    const credited = await creditedMicros(store);
    const suspensions = await lastSuspensions(store);
    await this.#charges.update();
    return this.#sponsors.map((sponsor) => ({
      sponsor,
      balanceMicros: credited(sponsor.id, sponsor.currency) - this.#charges.of(sponsor.id, sponsor.currency),
      suspendedBy: suspendedBy(suspensions.get(sponsor.id)),
    }));
  }
}

/** Returns the entry of the first sponsor that needs one and has none in this check. */
function due(accounts: readonly WatchedAccount[], last: number, booked: readonly AccountEntry[]): AccountEntry | null {
  for (const { sponsor, balanceMicros, suspendedBy } of accounts) {
    const { id: sponsorId, currency } = sponsor;
    if (booked.some((entry) => entry.sponsorId === sponsorId)) continue;
    const kind = creditDecision(sponsor, balanceMicros, suspendedBy);
    if (kind === null) continue;
    const idempotencyKey = `${WATCHER_KEYS}${sponsorId}-${last}`;
    const why = creditReason(sponsor, balanceMicros);
    return { kind, idempotencyKey, sponsorId, currency, amountMicros: 0, effectiveAtMs: null, who: WATCHER, why };
  }
  return null;
}
