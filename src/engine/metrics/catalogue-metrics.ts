import { Counter, Gauge, type Registry } from 'prom-client';

/** `taken`: batches are rated with it. `refused`: it has faults. `failed`: the store did not keep it. */
const RELOAD_OUTCOMES = ['taken', 'unchanged', 'refused', 'failed'] as const;
export type ReloadOutcome = (typeof RELOAD_OUTCOMES)[number];

/** The catalogue that batches are rated with, and the outcomes of reloads. */
export class CatalogueMetrics {
  readonly #info: Gauge<'hash'>;
  readonly #takenAt: Gauge;
  readonly #plans: Gauge;
  readonly #reloads: Counter<'outcome'>;
  readonly #refused: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#info = new Gauge({
      name: 'zerorate_catalogue_info',
      help: 'the catalogue that batches are rated with, by its hash',
      labelNames: ['hash'],
      registers,
    });
    this.#takenAt = new Gauge({
      name: 'zerorate_catalogue_taken_timestamp_seconds',
      help: 'when the catalogue was taken over, Unix time',
      registers,
    });
    this.#plans = new Gauge({ name: 'zerorate_catalogue_plans', help: 'plans of the catalogue', registers });
    this.#reloads = new Counter({
      name: 'zerorate_catalogue_reloads_total',
      help: 'reloads of the catalogue file, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.#refused = new Gauge({
      name: 'zerorate_catalogue_refused',
      help: '1 while the current catalogue file is not in use',
      registers,
    });
    for (const outcome of RELOAD_OUTCOMES) this.#reloads.inc({ outcome }, 0);
  }

  taken(hash: string, plans: number): void {
    this.#info.reset();
    this.#info.set({ hash }, 1);
    this.#plans.set(plans);
    this.#takenAt.setToCurrentTime();
  }

  reloaded(outcome: ReloadOutcome): void {
    this.#reloads.inc({ outcome });
    this.#refused.set(outcome === 'refused' || outcome === 'failed' ? 1 : 0);
  }
}
