import type { Sponsor } from '../billing/catalogue.ts';
import type { Clock } from '../platform/clock.ts';
import type { Store } from '../platform/store.ts';
import type { AccountEntry } from './account-entry.ts';
import { bookEntryAt } from './book-entry.ts';
import { lastNumber } from './book-fact.ts';
import { ChargeTotals } from './charge-totals.ts';
import { creditDecision, creditReason, type SuspendedBy, suspendedBy, WATCHER, WATCHER_KEYS } from './credit-rules.ts';
import { creditedMicros, lastSuspensions } from './entry-rows.ts';

/** An entry that does not go through is decided anew by the next check. */
const ONE_ATTEMPT = { firstDelayMs: 0, maxDelayMs: 0, giveUpAfterMs: -1 };

/** A sponsor's account as one look saw it. */
export interface WatchedAccount {
  sponsor: Sponsor;
  balanceMicros: bigint;
  suspendedBy: SuspendedBy;
}

export interface CreditWatcherOptions {
  store: Store;
  /** Those whose limits are watched, to begin with. */
  sponsors: readonly Sponsor[];
  clock: Clock;
  checkEveryMs: number;
  /** Called with every suspension and resumption that this watcher has booked. */
  onBooked?: (entry: AccountEntry) => void;
  /** Called with all accounts as they are after a check. */
  onLooked?: (accounts: readonly WatchedAccount[]) => void;
  /** Called after every check of `start`: with what went wrong, or null. */
  onChecked?: (problem: unknown) => void;
}

/**
 * Suspends sponsors whose balance is past their credit limit, and lets those go on that are back within. It asks the store
 * at intervals, beside the engines, which read the suspensions when they begin a batch. There may be more than one watcher:
 * an entry is booked next after those that it was decided by, or not at all. Inert until `start`.
 */
export class CreditWatcher {
  readonly #options: CreditWatcherOptions;
  readonly #charges: ChargeTotals;
  #sponsors: readonly Sponsor[];
  #disarm: (() => void) | null = null;
  #checking: Promise<void> = Promise.resolve();

  constructor(options: CreditWatcherOptions) {
    this.#options = options;
    this.#sponsors = options.sponsors;
    this.#charges = new ChargeTotals(options.store);
  }

  /** From the next check on these are watched, and nobody else. */
  watch(sponsors: readonly Sponsor[]): void {
    this.#sponsors = sponsors;
  }

  /** Checks at intervals from now on, each of which begins when the check before has ended. */
  start(): void {
    const { clock, checkEveryMs, onChecked = () => {} } = this.#options;
    this.#disarm = clock.after(checkEveryMs, () => {
      this.#checking = this.check().then(() => onChecked(null), onChecked);
      void this.#checking.then(() => {
        if (this.#disarm !== null) this.start();
      });
    });
  }

  /** Resolves when no check is under way, and none will be. */
  async stop(): Promise<void> {
    this.#disarm?.();
    this.#disarm = null;
    await this.#checking;
  }

  /** Looks at all balances, and books what follows: at most one entry for a sponsor. Rejects with a StoreError. */
  async check(): Promise<AccountEntry[]> {
    const { store, clock, onBooked = () => {}, onLooked = () => {} } = this.#options;
    const booked: AccountEntry[] = [];
    for (;;) {
      // The number comes first: an entry that is booked after it was read outruns what follows from it.
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

/** The entry of the first sponsor that is due for one and has none in this check. */
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
