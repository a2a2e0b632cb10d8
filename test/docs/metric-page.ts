import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { writeAuditMetrics } from '../../src/engine/metrics/audit-metrics.ts';
import { CatalogueMetrics } from '../../src/engine/metrics/catalogue-metrics.ts';
import { ConsumerLag, type ConsumerLagOptions } from '../../src/engine/metrics/consumer-lag.ts';
import { EngineMetrics, HaltMetrics, SponsorMetrics } from '../../src/engine/metrics/engine-metrics.ts';
import { SequenceWatch, type SequenceWatchOptions } from '../../src/engine/metrics/sequence-watch.ts';
import { Health } from '../../src/platform/http/health.ts';
import { exportHealth } from '../../src/platform/http/health-metrics.ts';
import { exportConnections } from '../../src/platform/http/http-metrics.ts';
import { ReloadMetrics } from '../../src/platform/telemetry/reload-metrics.ts';
import { exportDispatch } from '../../src/sessions/dispatch/dispatch-metrics.ts';
import { exportGateway } from '../../src/sessions/gateway/gateway-metrics.ts';
import { exportProxy } from '../../src/sessions/proxy/proxy-metrics.ts';
import { GENERATED } from './command-page.ts';
import { cell } from './schema-page.ts';

type DispatchState = Parameters<typeof exportDispatch>[1];

/** Every metric is registered as its program does it; none is collected. */
const never = (): never => {
  throw new Error('no metric is collected here');
};

/** Resolves with the page of all metrics, by the program that exports them. */
export async function metricPage(): Promise<string> {
  const engine = new Registry();
  exportHealth(engine, new Health());
  new EngineMetrics(engine);
  new ConsumerLag({ registry: engine, topic: '' } as Partial<ConsumerLagOptions> as ConsumerLagOptions);
  new CatalogueMetrics(engine);
  new SponsorMetrics(engine);
  new SequenceWatch({ registry: engine } as Partial<SequenceWatchOptions> as SequenceWatchOptions);
  new HaltMetrics(engine);
  const dispatch = exportDispatch(
    { addHook: () => undefined } as unknown as FastifyInstance,
    { health: new Health() } as Partial<DispatchState> as DispatchState,
  );
  new ReloadMetrics(dispatch);
  exportConnections(dispatch, {});
  const proxy = exportProxy(never, new Health());
  exportConnections(proxy, {});
  const gateway = exportGateway(never);
  return [
    '# Metrics',
    GENERATED,
    'What each program exports for Prometheus at `/metrics`, beside those of its process (`process_*`, `nodejs_*`). No label names a subscriber. `docker/prometheus/alerts.yaml` has the alerts, and the [run-book](../operate/runbook.md) a section for each.',
    `## Engine\n\n${await tableOf(engine)}`,
    `## Audit\n\nWritten by \`audit --metrics-file\` for a textfile collector.\n\n${await auditTable()}`,
    `## Dispatch server\n\n${await tableOf(dispatch)}`,
    `## Proxy\n\n${await tableOf(proxy)}`,
    `## Gateway simulator\n\n${await tableOf(gateway)}\n`,
  ].join('\n\n');
}

interface Row {
  name: string;
  type: string;
  labels: readonly string[];
  help: string;
}

async function tableOf(registry: Registry): Promise<string> {
  const metrics = registry.getMetricsAsArray() as unknown as {
    name: string;
    help: string;
    labelNames: string[];
    constructor: { name: string };
  }[];
  return table(
    metrics
      .filter(({ name }) => name.startsWith('zerorate_'))
      .map((metric) => ({
        name: metric.name,
        type: metric.constructor.name.toLowerCase(),
        labels: metric.labelNames,
        help: metric.help,
      })),
  );
}

function table(rows: Row[]): string {
  const sorted = rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${cell(help)} |`,
  );
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...lines].join('\n');
}

/** An audit makes its metrics as it writes them. */
async function auditTable(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'zerorate-metrics-'));
  const file = join(directory, 'audit.prom');
  await writeAuditMetrics(file, { faults: new Map([['chain', 0]]), batches: 0 });
  const text = readFileSync(file, 'utf8');
  rmSync(directory, { recursive: true });
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)\n(.*)$/gm)].map(
    ([, name, help, type, sample]) => ({
      name,
      type,
      labels: [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label),
      help,
    }),
  );
  return table(rows);
}
