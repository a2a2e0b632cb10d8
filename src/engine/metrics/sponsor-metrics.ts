import { Gauge, type Registry } from 'prom-client';
import type { WatchedAccount } from '../../finance/accounts/credit-watcher.ts';

/** Most sponsors with series of their own, in the catalogue's order. */
const NAMED = 200;

/** Balances, limits and suspensions of sponsors, as of the credit watcher's last check. */
export class SponsorMetrics {
  readonly #balance: Gauge<'sponsor' | 'currency'>;
  readonly #limit: Gauge<'sponsor' | 'currency'>;
  readonly #suspended: Gauge<'sponsor'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ['sponsor', 'currency'] as const;
    this.#balance = new Gauge({
      name: 'zerorate_sponsor_balance_micros',
      help: 'credited minus charged, micro-units of the currency',
      labelNames,
      registers,
    });
    this.#limit = new Gauge({
      name: 'zerorate_sponsor_credit_limit_micros',
      help: 'how far below 0 the balance may be, micro-units of the currency',
      labelNames,
      registers,
    });
    this.#suspended = new Gauge({
      name: 'zerorate_sponsor_suspended',
      help: '1 while the sponsor is suspended, by the credit watcher or by hand',
      labelNames: ['sponsor'],
      registers,
    });
  }

  onLooked(accounts: readonly WatchedAccount[]): void {
    for (const gauge of [this.#balance, this.#limit, this.#suspended]) gauge.reset();
    for (const { sponsor, balanceMicros, suspendedBy } of accounts.slice(0, NAMED)) {
      const labels = { sponsor: sponsor.id, currency: sponsor.currency };
      this.#balance.set(labels, Number(balanceMicros));
      this.#limit.set(labels, sponsor.creditLimitMicros);
      this.#suspended.set({ sponsor: sponsor.id }, suspendedBy === 'none' ? 0 : 1);
    }
  }
}
