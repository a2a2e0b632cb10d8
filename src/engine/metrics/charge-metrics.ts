import { Counter, type Registry } from 'prom-client';
import { BoundedLabel } from '../../platform/telemetry/metrics.ts';
import { outcomeOf } from '../../rating/outcome.ts';
import type { BookedBatch } from '../book-batch.ts';

/** Most applications and sponsors with series of their own. */
const NAMED = 200;

/** Booked records by application, and charges by sponsor: for monitoring only, the journal holds the money. */
export class ChargeMetrics {
  readonly #records: Counter<'application' | 'outcome'>;
  readonly #micros: Counter<'sponsor' | 'currency'>;
  readonly #applications = new BoundedLabel(NAMED);
  readonly #sponsors = new BoundedLabel(NAMED);

  constructor(registry: Registry) {
    const registers = [registry];
    this.#records = new Counter({
      name: 'zerorate_application_records_total',
      help: 'records of a recognised application by outcome',
      labelNames: ['application', 'outcome'],
      registers,
    });
    this.#micros = new Counter({
      name: 'zerorate_charged_micros_total',
      help: "micro-units of the sponsor's currency charged by this process; accounts are in account_balances",
      labelNames: ['sponsor', 'currency'],
      registers,
    });
  }

  add({ summary, catalogue: { applications, sponsors } }: Pick<BookedBatch, 'summary' | 'catalogue'>): void {
    for (const { application, reasonCode, records, chargeMicros } of summary.counts) {
      if (application < 0) continue;
      const { id, sponsor } = applications[application];
      const outcome = outcomeOf(reasonCode);
      this.#records.inc({ application: this.#applications.of(id), outcome }, records);
      if (outcome !== 'charged') continue;
      const { id: sponsorId, currency } = sponsors[sponsor];
      this.#micros.inc({ sponsor: this.#sponsors.of(sponsorId), currency }, chargeMicros);
    }
  }
}
