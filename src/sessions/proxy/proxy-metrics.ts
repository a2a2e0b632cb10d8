import { Counter, Gauge, type Registry } from 'prom-client';
import * as z from 'zod';
import type { Health } from '../../platform/http/health.ts';
import { exportHealth } from '../../platform/http/health-metrics.ts';
import { createMetrics } from '../../platform/telemetry/metrics.ts';
import type { BufferScope } from './buffer-budget.ts';
import { DATAGRAM_DROPS, type DatagramDrop } from './udp/datagram-drops.ts';

const count = z.int().min(0);

/** What a proxy does now, for `/v1/figures` and `/metrics`. Counts that end in "since the start" begin at 0 with the process. */
export const proxyFiguresSchema = z.strictObject({
  openSessions: count.describe('Sessions that this proxy serves.'),
  connections: count.describe('Open connections of terminals.'),
  reportsWaiting: count.describe('Usage reports that the dispatch server has not confirmed.'),
  reportsRefused: z
    .record(z.string(), count)
    .describe('Usage reports that the dispatch server has refused, by reason, since the start.'),
  clockSkewMs: z.number().describe("By how much this machine's clock is ahead of the dispatch server's."),
  flowMarksFailed: count.describe('Marks of connections that the gateway did not take, since the start.'),
  associations: count.describe('Open associations of SOCKS5 (UDP).'),
  datagramsDropped: z
    .record(z.enum(Object.keys(DATAGRAM_DROPS) as DatagramDrop[]), count)
    .describe('Datagrams of associations that were dropped, by reason, since the start.'),
  bufferedBytes: count.describe('Bytes that connections hold for slow readers and unfinished messages.'),
  closedForBuffers: z
    .record(z.enum(['session', 'subscriber', 'total'] satisfies BufferScope[]), count)
    .describe('Connections that were closed for what they held, by the limit that was exceeded, since the start.'),
});
export type ProxyFigures = Readonly<z.output<typeof proxyFiguresSchema>>;

const GAUGES: readonly [
  Exclude<keyof ProxyFigures, 'reportsRefused' | 'datagramsDropped' | 'closedForBuffers'>,
  string,
  string,
][] = [
  ['openSessions', 'zerorate_proxy_open_sessions', 'sessions that this proxy serves'],
  ['connections', 'zerorate_proxy_connections', 'open connections of terminals'],
  ['reportsWaiting', 'zerorate_proxy_reports_waiting', 'usage reports that the dispatch server has not confirmed'],
  ['associations', 'zerorate_proxy_associations', 'open associations of SOCKS5 (UDP)'],
  ['bufferedBytes', 'zerorate_proxy_buffered_bytes', 'bytes held for slow readers and unfinished messages'],
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
  new Counter({
    name: 'zerorate_proxy_datagrams_dropped_total',
    help: 'datagrams of associations that were dropped, by reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(figures().datagramsDropped)) this.inc({ reason }, count);
    },
  });
  new Counter({
    name: 'zerorate_proxy_connections_closed_for_buffers_total',
    help: 'connections that were closed for the memory that they held, by the limit that was exceeded',
    labelNames: ['limit'],
    registers,
    collect() {
      this.reset();
      for (const [limit, count] of Object.entries(figures().closedForBuffers)) this.inc({ limit }, count);
    },
  });
  return registry;
}
