import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { ChargeTotals } from '../accounts/charge-totals.ts';
import { creditedMicros } from '../accounts/entry-rows.ts';
import { RepeatedCheck, type RepeatedCheckOptions } from '../repeated-check.ts';
import { bookCampaignFact, type CampaignFact } from './campaign-fact.ts';
import { dueFacts, type WatchedCampaign } from './campaign-rules.ts';
import { CampaignUsage } from './campaign-usage.ts';

/** A failed fact is decided again by the next check. */
const ONE_ATTEMPT = { firstDelayMs: 0, maxDelayMs: 0, giveUpAfterMs: -1 };

export interface CampaignWatcherOptions extends RepeatedCheckOptions {
  store: Store;
  /** The campaigns to watch, until `watch` replaces them. */
  campaigns: readonly WatchedCampaign[];
  clock: Clock;
  /** Called with every fact that this watcher has booked. */
  onBooked?: (fact: CampaignFact) => void;
}

/**
 * Books which caps and thresholds of campaigns were reached, and whether prepaid campaigns are paid ahead. It queries the store at
 * intervals, beside the engines, which read the facts when they begin a batch. There may be several watchers: a fact is booked
 * directly after the facts that it was decided by, or not at all. Without campaigns it asks the store nothing. Inert until `start`.
 */
export class CampaignWatcher {
  readonly #options: CampaignWatcherOptions;
  readonly #facts: CampaignFactReader;
  readonly #charges: ChargeTotals;
  #campaigns: readonly WatchedCampaign[];
  #usage: CampaignUsage;
  readonly #checks: RepeatedCheck;

  constructor(options: CampaignWatcherOptions) {
    this.#options = options;
    this.#checks = new RepeatedCheck(options, () => this.check());
    this.#facts = new CampaignFactReader(options.store);
    this.#charges = new ChargeTotals(options.store);
    this.#campaigns = options.campaigns;
    this.#usage = new CampaignUsage(options.store, options.campaigns);
  }

  /** Replaces the watched campaigns, from the next check on. */
  watch(campaigns: readonly WatchedCampaign[]): void {
    const zonesOf = (watched: readonly WatchedCampaign[]) =>
      JSON.stringify(watched.map(({ id, timeZone }) => [id, timeZone]));
    const isSame = zonesOf(campaigns) === zonesOf(this.#campaigns);
    this.#campaigns = campaigns;
    if (!isSame) this.#usage = new CampaignUsage(this.#options.store, campaigns);
  }

  /** Checks at intervals. A check begins one interval after the end of the previous one. */
  start(): void {
    this.#checks.start();
  }

  /** Resolves when no check is running, and none will start. */
  stop(): Promise<void> {
    return this.#checks.stop();
  }

  /** Reads what was used, and books what follows. Rejects with a StoreError. */
  async check(): Promise<CampaignFact[]> {
    const booked: CampaignFact[] = [];
    const campaigns = this.#campaigns;
    if (campaigns.length === 0) return booked;
    const usage = this.#usage;
    await usage.update();
    const balanceOf = await this.#balances(campaigns);
    for (;;) {
      const facts = await this.#facts.now();
      const due = dueFacts(campaigns, facts, usage, balanceOf);
      if (await this.#book(due, facts.number, booked)) return booked;
    }
  }

  /** Books facts after this number. Resolves with whether all of them are booked: another fact may have come first. */
  async #book(due: readonly CampaignFact[], after: number, booked: CampaignFact[]): Promise<boolean> {
    const { store, clock, onBooked = () => {} } = this.#options;
    let number = after;
    for (const fact of due) {
      if ((await bookCampaignFact(store, fact, ++number, clock, ONE_ATTEMPT)) === 'fenced') return false;
      booked.push(fact);
      onBooked(fact);
    }
    return true;
  }

  /** Reads the balances of sponsors, where a campaign is prepaid. */
  async #balances(campaigns: readonly WatchedCampaign[]): Promise<(sponsorId: string, currency: string) => bigint> {
    if (campaigns.every(({ payment }) => payment === 'postpaid')) return () => 0n;
    const credited = await creditedMicros(this.#options.store);
    await this.#charges.update();
    return (sponsorId, currency) => credited(sponsorId, currency) - this.#charges.of(sponsorId, currency);
  }
}
