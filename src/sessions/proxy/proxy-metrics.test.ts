import { expect, test } from 'vitest';
import { Health } from '../../platform/http/health.ts';
import { exportProxy } from './proxy-metrics.ts';
import { DatagramDrops } from './udp/datagram-drops.ts';

test('figures and readiness are exported as they are when scraped', async () => {
  const drops = new DatagramDrops();
  const figures = {
    openSessions: 2,
    connections: 5,
    reportsWaiting: 7,
    reportsRefused: { in_future: 3 },
    clockSkewMs: -1500,
    flowMarksFailed: 3,
    associations: 6,
    datagramsDropped: drops.counts,
    bufferedBytes: 8,
    closedForBuffers: { session: 1, subscriber: 0, total: 2 },
  };
  drops.drop('fragmented');
  const health = new Health();
  const metrics = exportProxy(() => figures, health);
  await metrics.metrics();
  health.report('dispatch', 'no answer');
  figures.flowMarksFailed = 4;
  const lines = (await metrics.metrics()).split('\n');
  expect(lines).toContain('zerorate_proxy_open_sessions 2');
  expect(lines).toContain('zerorate_proxy_connections 5');
  expect(lines).toContain('zerorate_proxy_reports_waiting 7');
  expect(lines).toContain('zerorate_proxy_flow_marks_failed_total 4');
  expect(lines).toContain('zerorate_proxy_associations 6');
  expect(lines).toContain('zerorate_proxy_datagrams_dropped_total{reason="fragmented"} 1');
  expect(lines).toContain('zerorate_proxy_datagrams_dropped_total{reason="other_source"} 0');
  expect(lines).toContain('zerorate_proxy_buffered_bytes 8');
  expect(lines).toContain('zerorate_proxy_connections_closed_for_buffers_total{limit="total"} 2');
  expect(lines).toContain('zerorate_ready 0');
});
