import { Gauge, type Registry } from 'prom-client';
import type { Health } from './health.ts';

/** Exports whether the process can do its work, and which of its parts prevent it: what `/health/ready` says. */
export function exportHealth(registry: Registry, health: Health): void {
  new Gauge({
    name: 'zerorate_ready',
    help: '1 while the process can do its work, as /health/ready says',
    registers: [registry],
    collect() {
      this.set(health.isReady ? 1 : 0);
    },
  });
  new Gauge({
    name: 'zerorate_problem',
    help: '1 for each part that prevents the process from doing its work; /health/ready says what is wrong with it',
    labelNames: ['part'],
    registers: [registry],
    collect() {
      this.reset();
      for (const part of Object.keys(health.problems)) this.set({ part }, 1);
    },
  });
}
