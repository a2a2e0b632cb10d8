import { expect, test } from 'vitest';
import { Health } from '../platform/health.ts';
import { exportProxy } from './proxy-metrics.ts';

test('figures and readiness are exported as they are when scraped', async () => {
  const figures = {
    openSessions: 2,
    connections: 5,
    reportsWaiting: 7,
    reportsRefused: { in_future: 3 },
    clockSkewMs: -1500,
    flowMarksFailed: 3,
  };
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
  expect(lines).toContain('zerorate_ready 0');
});
