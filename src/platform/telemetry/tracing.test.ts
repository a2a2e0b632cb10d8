import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type OtlpReceiver, startOtlpReceiver } from '../../../test/servers/otlp-receiver.ts';
import { startTracing } from './tracing.ts';

let receiver: OtlpReceiver;

beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver.stop();
});

test('spans arrive at the collector that the configuration names, as those of this service', async () => {
  const tracing = await startTracing({ otlpUrl: receiver.url }, {}, '1.2.3', () => {});
  tracing?.tracer.startSpan('batch', { attributes: { 'zerorate.lane': 'flows-0', 'zerorate.records': 7 } }).end();
  await tracing?.stop();
  expect(receiver.spans).toMatchObject([
    {
      name: 'batch',
      attributes: { 'zerorate.lane': 'flows-0', 'zerorate.records': 7 },
      resource: { 'service.name': 'zerorate', 'service.version': '1.2.3' },
    },
  ]);
});

test("OpenTelemetry's own variables name the collector and the service as well", async () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
  vi.stubEnv('OTEL_SERVICE_NAME', 'zerorate-east');
  const tracing = await startTracing({}, process.env, '1.2.3', () => {});
  tracing?.tracer.startSpan('batch').end();
  await tracing?.stop();
  expect(receiver.spans.map(({ resource }) => resource['service.name'])).toEqual(['zerorate-east']);
});

test('without a collector there are no spans, nor where they are switched off', async () => {
  expect(await startTracing({}, {}, '1', () => {})).toBe(null);
  expect(await startTracing({ otlpUrl: receiver.url }, { OTEL_SDK_DISABLED: 'true' }, '1', () => {})).toBe(null);
});

test.each(['gone', 'silent'])(
  'a collector that is %s holds up nothing, and is reported',
  { timeout: 20_000 },
  async (kind) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const port = kind === 'gone' ? 9 : (silent.address() as AddressInfo).port;
    const problems: unknown[] = [];
    const onProblem = (error: unknown) => problems.push(error);
    const tracing = await startTracing({ otlpUrl: `http://127.0.0.1:${port}` }, {}, '1', onProblem);
    tracing?.tracer.startSpan('batch').end();
    await tracing?.stop();
    expect(problems).toHaveLength(1);
    silent.closeAllConnections();
    silent.close();
  },
);
