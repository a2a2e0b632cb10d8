import { Counter, Gauge, type Registry } from 'prom-client';
import type { Health } from '../platform/health.ts';
import { exportHealth } from '../platform/health-metrics.ts';
import { createMetrics } from '../platform/metrics.ts';

/** What a proxy does now, for `/v1/figures` and `/metrics`. */
export interface ProxyFigures {
  openSessions: number;
  connections: number;
  /** Usage reports that the dispatch server has not confirmed. */
  reportsWaiting: number;
  /** Usage reports that the dispatch server has refused, by reason, since the start. */
  reportsRefused: Readonly<Record<string, number>>;
  /** By how much this machine's clock is ahead of the dispatch server's. */
  clockSkewMs: number;
  /** Marks of connections that the gateway did not take, since the start. */
  flowMarksFailed: number;
}

const GAUGES: readonly [Exclude<keyof ProxyFigures, 'reportsRefused'>, string, string][] = [
  ['openSessions', 'zerorate_proxy_open_sessions', 'sessions that this proxy serves'],
  ['connections', 'zerorate_proxy_connections', 'open connections of terminals'],
  ['reportsWaiting', 'zerorate_proxy_reports_waiting', 'usage reports that the dispatch server has not confirmed'],
];

/** Metrics of a proxy for Prometheus: readiness, and its figures. */
export function exportProxy(figures: () => ProxyFigures, health: Health): Registry {
  const registry = createMetrics();
  const registers = [registry];
  exportHealth(registry, health);
  for (const [figure, name, help] of GAUGES) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(figures()[figure]);
      },
    });
  }
  new Gauge({
    name: 'zerorate_proxy_clock_skew_seconds',
    help: 'by how much this machine’s clock is ahead of the dispatch server’s; negative: behind',
    registers,
    collect() {
      this.set(figures().clockSkewMs / 1000);
    },
  });
  new Counter({
    name: 'zerorate_proxy_reports_refused_total',
    help: 'usage reports that the dispatch server has refused, by reason: they are kept in refused-reports.ndjson',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(figures().reportsRefused)) this.inc({ reason }, count);
    },
  });
  new Counter({
    name: 'zerorate_proxy_flow_marks_failed_total',
    help: 'marks of connections that the gateway did not take: their octets carry no tag',
    registers,
    collect() {
      this.reset();
      this.inc(figures().flowMarksFailed);
    },
  });
  return registry;
}
