import { expect, test } from 'vitest';
import { exportGateway } from './gateway-metrics.ts';
import { TerminalTags } from './terminal-tags.ts';

const NO_TAGS = {
  proxies: () => [],
  applications: [],
  requestBytes: 1024,
  requestTimeoutMs: 1,
  findKey: () => 'unknown' as const,
  nowMs: () => 0,
};

test('the gateway’s figures are exported as they are when scraped', async () => {
  const status = {
    ready: true as const,
    openFlows: 3,
    spooledRecords: 12,
    kafkaProblem: 'no broker',
    unknownFlowMarks: 2,
    terminalTags: { ...new TerminalTags(NO_TAGS).counts(), taken: 4, forged: 5 },
    tagKeysReachable: false,
  };
  const metrics = exportGateway(() => status);
  await metrics.metrics();
  const lines = (await metrics.metrics()).split('\n');
  expect(lines).toContain('zerorate_gateway_open_flows 3');
  expect(lines).toContain('zerorate_gateway_spooled_records 12');
  expect(lines).toContain('zerorate_gateway_kafka_problem 1');
  expect(lines).toContain('zerorate_gateway_unknown_flow_marks_total 2');
  expect(lines).toContain('zerorate_gateway_terminal_tags_total{outcome="taken"} 4');
  expect(lines).toContain('zerorate_gateway_terminal_tags_total{outcome="forged"} 5');
  expect(lines).toContain('zerorate_gateway_tag_keys_unreachable 1');
});
