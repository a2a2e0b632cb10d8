import { Counter, Gauge, type Registry } from 'prom-client';
import type { ConnectionLimits } from '../network/connection-limits.ts';

/** Exports the connections of listeners, and those that were closed because a bound of theirs is reached. */
export function exportConnections(registry: Registry, listeners: Readonly<Record<string, ConnectionLimits>>): void {
  const registers = [registry];
  new Gauge({
    name: 'zerorate_open_connections',
    help: 'open connections, by listener',
    labelNames: ['listener'],
    registers,
    collect() {
      for (const [listener, { open }] of Object.entries(listeners)) this.set({ listener }, open);
    },
  });
  new Counter({
    name: 'zerorate_connections_closed_by_limit_total',
    help: 'connections closed or refused because a limit is reached, by listener and limit (address: of one address; total: in all)',
    labelNames: ['listener', 'limit'],
    registers,
    collect() {
      this.reset();
      for (const [listener, { closed }] of Object.entries(listeners)) {
        this.inc({ listener, limit: 'address' }, closed.address);
        this.inc({ listener, limit: 'total' }, closed.total);
      }
    },
  });
}
