import { Counter, Gauge, type Registry } from 'prom-client';

/** `taken`: it is in use. `unchanged`: it is as it was. `refused`: it has faults, and the one before is in use. */
const OUTCOMES = ['taken', 'unchanged', 'refused'] as const;
export type ConfigReloadOutcome = (typeof OUTCOMES)[number];

/** How often the configuration was reloaded (SIGHUP), and with what outcome. */
export class ReloadMetrics {
  readonly #reloads: Counter<'outcome'>;
  readonly #refused: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#reloads = new Counter({
      name: 'zerorate_configuration_reloads_total',
      help: 'times that the configuration was reloaded, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.#refused = new Gauge({
      name: 'zerorate_configuration_refused',
      help: '1 while the configuration file is one that was not taken over',
      registers,
    });
    for (const outcome of OUTCOMES) this.#reloads.inc({ outcome }, 0);
  }

  reloaded(outcome: ConfigReloadOutcome): void {
    this.#reloads.inc({ outcome });
    this.#refused.set(outcome === 'refused' ? 1 : 0);
  }
}
