import { Gauge, type Registry } from 'prom-client';

/** The error that the engine halted with, while it still answers. */
export class HaltMetrics {
  readonly #halted: Gauge<'code'>;

  constructor(registry: Registry) {
    this.#halted = new Gauge({
      name: 'zerorate_halted',
      help: '1 under the code of the error that ended the engine, while it still answers',
      labelNames: ['code'],
      registers: [registry],
    });
    this.#halted.set({ code: 'records_lost' }, 0);
    this.#halted.set({ code: 'topic_recreated' }, 0);
    this.#halted.set({ code: 'codec_unknown' }, 0);
  }

  halted(error: unknown): void {
    const { code } = error as { code?: unknown };
    this.#halted.set({ code: typeof code === 'string' ? code : 'unknown' }, 1);
  }
}
