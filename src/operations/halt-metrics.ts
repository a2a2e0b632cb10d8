import { Gauge, type Registry } from 'prom-client';
import type { Health } from '../platform/health.ts';

/** Whether the engine can do its work, and what keeps it; what it halted with, while it still answers. */
export class HealthMetrics {
  readonly #halted: Gauge<'code'>;

  constructor(registry: Registry, health: Health) {
    const registers = [registry];
    new Gauge({
      name: 'zerorate_ready',
      help: '1 while the engine can do its work, as /health/ready says',
      registers,
      collect() {
        this.set(health.isReady ? 1 : 0);
      },
    });
    new Gauge({
      name: 'zerorate_problem',
      help: '1 for each part that keeps the engine from its work; /health/ready says what is wrong with it',
      labelNames: ['part'],
      registers,
      collect() {
        this.reset();
        for (const part of Object.keys(health.problems)) this.set({ part }, 1);
      },
    });
    this.#halted = new Gauge({
      name: 'zerorate_halted',
      help: '1 under the code of the error that ended the engine, while it still answers',
      labelNames: ['code'],
      registers,
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
