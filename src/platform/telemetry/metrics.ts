import { collectDefaultMetrics, Registry } from 'prom-client';

/** Metrics for Prometheus, with those of the process in it. */
export function createMetrics(): Registry {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  return metrics;
}

/** Takes the place of all values that came after the limit. No id of a catalogue has brackets. */
export const OTHERS = '(others)';

/** Bounds the values of a label: the first `limit` of them by name, all later ones together. */
export class BoundedLabel {
  readonly #limit: number;
  readonly #known = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#limit) return OTHERS;
    this.#known.add(value);
    return value;
  }
}
