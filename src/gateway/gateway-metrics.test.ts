import { expect, test } from 'vitest';
import { exportGateway } from './gateway-metrics.ts';

test('the gateway’s figures are exported as they are when scraped', async () => {
  const standing = {
    ready: true as const,
    openFlows: 3,
    spooledRecords: 12,
    kafkaProblem: 'no broker',
    unknownFlowMarks: 2,
  };
  const metrics = exportGateway(() => standing);
  await metrics.metrics();
  const lines = (await metrics.metrics()).split('\n');
  expect(lines).toContain('zerorate_gateway_open_flows 3');
  expect(lines).toContain('zerorate_gateway_spooled_records 12');
  expect(lines).toContain('zerorate_gateway_kafka_problem 1');
  expect(lines).toContain('zerorate_gateway_unknown_flow_marks_total 2');
});
