import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { expectAlerts, promtool, RULES } from '../../src/engine/metrics/promtool.fixture.ts';
import { metricOf, parseExposition, scrape } from '../../src/engine/metrics/scrape.fixture.ts';
import { encodeFlowRecordAvro } from '../../src/generator/encode-avro.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { exportDispatch } from '../../src/sessions/dispatch/dispatch-metrics.ts';
import { exportGateway } from '../../src/sessions/gateway/gateway-metrics.ts';
import { exportProxy } from '../../src/sessions/proxy/proxy-metrics.ts';
import { startOtlpReceiver } from '../servers/otlp-receiver.ts';
import { halfAnHour, OperatedEngines } from './operated-engine.fixture.ts';

const DASHBOARD = packagePath('docker/grafana/dashboards/operations.json');
/** Prometheus makes these itself. */
const OF_PROMETHEUS = ['up', 'ALERTS'];

let engines: OperatedEngines;

beforeAll(async () => {
  engines = await OperatedEngines.start();
});
afterEach(() => engines.endAll());
afterAll(() => engines?.stop());

/** What dispatch servers, proxies and gateways export; the names alone are read. */
function namesOfSessions(): string[] {
  const [unread, server] = [{} as never, { addHook: () => {} } as never];
  const registries = [
    exportDispatch(server, { context: unread, accounts: unread, health: unread }),
    exportProxy(() => unread, unread),
    exportGateway(() => unread),
  ];
  return registries.flatMap((registry) => registry.getMetricsAsArray().map(({ name }) => name));
}

/** Every metric that an expression names. */
function namesIn(expr: string): string[] {
  const bare = expr.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\{[^}]*\}/g, '{}');
  return [...bare.matchAll(/\b(?:zerorate|process|nodejs)_\w+/g)].map(([name]) => name);
}

const exprs = {
  rules: (parse(readFileSync(RULES, 'utf8')).groups as { rules: { expr: string }[] }[]).flatMap(({ rules }) =>
    rules.map(({ expr }) => expr),
  ),
  dashboard: (JSON.parse(readFileSync(DASHBOARD, 'utf8')).panels as { targets?: { expr: string }[] }[]).flatMap(
    ({ targets = [] }) => targets.map(({ expr }) => expr),
  ),
};

describe('a running engine', () => {
  test('exports what rules and dashboard name, and its figures are the journal’s', async () => {
    const config = await engines.configure('watched');
    await engines.produce('watched', 1, 2000, 0.002);
    const engine = await engines.run(config);
    await engine.booked(2000);
    const all = await engines.scraped(
      (seen) =>
        metricOf(seen, 'zerorate_consumer_lag_records') === 0 &&
        metricOf(seen, 'zerorate_records_read_total') === 2000 &&
        metricOf(seen, 'zerorate_sponsor_balance_micros') === -(metricOf(seen, 'zerorate_charged_micros_total') ?? 0),
    );
    await expectAlerts([{ scrape: all, minutes: 30 }], []);
    expect(await engine.stop()).toBe(0);

    const audited = await engines.zerorate.run(['audit', ...config, '--metrics-file', 'audit.prom']);
    expect(audited.code, audited.stderr).toBe(0);
    const ofAudit = parseExposition(await readFile(engines.zerorate.path('audit.prom'), 'utf8'));
    expect(metricOf(ofAudit, 'zerorate_audit_faults', { invariant: 'digest' })).toBe(0);
    const exported = [...all.types.keys(), ...ofAudit.types.keys(), ...namesOfSessions(), ...OF_PROMETHEUS];
    for (const expr of [...exprs.rules, ...exprs.dashboard]) {
      const named = namesIn(expr);
      expect(named.length + Number(/\b(up|ALERTS)\b/.test(expr)), expr).toBeGreaterThan(0);
      for (const name of named) expect(exported, expr).toContain(name.replace(/_(bucket|sum|count)$/, ''));
    }

    const [booked] = await engines.zerorate.rows<Record<string, number>>(
      'SELECT sum(records_read) AS read, sum(records_charged) AS charged, sum(records_rejected) AS rejected, count() AS batches FROM batches',
      'watched',
    );
    const ofOutcome = (outcome: string) => metricOf(all, 'zerorate_records_total', { outcome });
    expect({
      read: metricOf(all, 'zerorate_records_read_total'),
      charged: ofOutcome('charged'),
      rejected: ofOutcome('rejected'),
      batches: metricOf(all, 'zerorate_batches_total', { outcome: 'booked' }),
    }).toEqual(booked);
    for (const { sponsor_id: sponsor, currency, charged, balance } of await engines.zerorate.rows<
      Record<string, string>
    >(
      'SELECT sponsor_id, currency, charged_micros AS charged, balance_micros AS balance FROM account_balances',
      'watched',
    )) {
      expect(metricOf(all, 'zerorate_charged_micros_total', { sponsor, currency })).toBe(Number(charged));
      expect(metricOf(all, 'zerorate_sponsor_balance_micros', { sponsor, currency })).toBe(Number(balance));
    }
  });

  test('names no subscriber in any label, and its log names batches in one way', async () => {
    const config = await engines.configure('labels');
    await engines.produce('labels', 2, 500, 0.01);
    const collector = await startOtlpReceiver();
    const engine = await engines.run(config, { ZERORATE_TRACING_OTLP_URL: collector.url });
    await engine.booked(500);
    const { samples } = await scrape(engines.port);
    for (const { labels } of samples) {
      for (const [label, value] of Object.entries(labels))
        if (label !== 'le') expect(value).not.toMatch(/\d{7,}(?![0-9a-f])/);
    }
    await engine.stop();
    await collector.stop();
    // The first engine of a store finds no quota topic, and has nothing to warn of.
    expect(engine.lines.map(({ msg }) => msg)).not.toContainEqual(
      expect.stringMatching(/quota updates cannot be read/),
    );
    const cursors = new Map<string, number>();
    const ofBatches = engine.lines.filter(({ batch }) => batch !== undefined);
    expect(ofBatches.length).toBeGreaterThan(2);
    for (const line of ofBatches) {
      const { batch, topic, partition, prev, firstOffset, lastOffset } = line;
      const lane = `${topic}-${partition}`;
      const [, sequence] = /^labels-\d@(\d+)$/.exec(String(batch)) ?? [];
      expect(batch).toBe(`${lane}@${sequence}`);
      expect([prev, firstOffset, lastOffset].every(Number.isInteger)).toBe(true);
      if (line.msg !== 'booked') continue;
      expect(prev).toBe(cursors.get(lane) ?? -1);
      cursors.set(lane, Number(lastOffset));
    }
    // Each of them is a trace as well, under the same names.
    const traced = collector.spans
      .filter(({ name, attributes }) => name === 'batch' && attributes['zerorate.outcome'] === 'booked')
      .map(({ attributes }) => `${attributes['zerorate.lane']}@${attributes['zerorate.batch']}`);
    const booked = ofBatches.filter(({ msg }) => msg === 'booked').map(({ batch }) => batch);
    expect(traced.sort()).toEqual(booked.sort());
  });
});

test('an audit that finds the journal broken calls an operator', async () => {
  const config = await engines.configure('broken');
  await engines.produce('broken', 9, 200);
  const engine = await engines.run(config);
  await engine.booked(200);
  await engine.stop();
  const store = await openEmbeddedStore(engines.zerorate.path('broken'), { create: false, readOnly: false });
  await store.command(
    "INSERT INTO journal (kind, lane, topic, offset) VALUES ('charge', 'broken-0', 'broken', 1000000)",
  );
  await store.close();
  const { code } = await engines.zerorate.run(['audit', ...config, '--metrics-file', 'broken.prom']);
  expect(code).toBe(1);
  const found = parseExposition(await readFile(engines.zerorate.path('broken.prom'), 'utf8'));
  expect(metricOf(found, 'zerorate_audit_faults', { invariant: 'strays' })).toBe(1);
  await expectAlerts([{ scrape: found, minutes: 5 }], ['ZerorateAuditFailed']);
});

test('the dashboard’s expressions are Prometheus’s, its panels do not cover each other, and its source is provisioned', async () => {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8'));
  const path = packagePath('docker/grafana/provisioning/datasources/prometheus.yaml');
  const [{ type, uid }] = parse(readFileSync(path, 'utf8')).datasources;
  const rules = exprs.dashboard.map((expr, at) => ({
    record: `panel_${at}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)/g, '.+'),
  }));
  await writeFile(engines.zerorate.path('panels.yaml'), stringify({ groups: [{ name: 'panels', rules }] }));
  const { code, output } = await promtool('check', 'rules', engines.zerorate.path('panels.yaml'));
  expect(code, output).toBe(0);
  for (const panel of panels.filter(({ type }: { type: string }) => type !== 'row')) {
    expect(panel.datasource).toEqual({ type, uid });
    for (const target of panel.targets) expect(target.datasource).toEqual({ type, uid });
  }
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

describe('an operator is called', () => {
  test('for records that are rejected, that never arrived, and that are keyed otherwise', async () => {
    const config = await engines.configure('bad');
    await engines.produce('bad', 6, 300);
    const engine = await engines.run(config);
    await engine.booked(300);
    const before = await engines.scraped((seen) => metricOf(seen, 'zerorate_sequence_numbers_missing') === 0);
    const numbered = (localSequenceNumber: number, key: string) => {
      const record = testRecord({
        nodeId: 'late',
        localSequenceNumber,
        startTime: Date.UTC(2026, 9, 5),
        endTime: Date.UTC(2026, 9, 5, 1),
      });
      return { key: key === '' ? record.servedMsisdn : key, value: encodeFlowRecordAvro(record) };
    };
    await engines.send('bad', [numbered(1, ''), numbered(8, 'unknown')]);
    await engines.send('bad', Array(40).fill({ key: '1', value: Buffer.from('no record') }));
    await engine.booked(342);
    const after = await engines.scraped((seen) => metricOf(seen, 'zerorate_sequence_numbers_missing') === 6);
    expect(metricOf(after, 'zerorate_records_total', { reason: 'malformed' })).toBe(40);
    // The gap is new to a scrape an hour later.
    const hours = [
      { scrape: before, minutes: 60 },
      { scrape: after, minutes: 59 },
      { scrape: after, minutes: 31 },
    ];
    await expectAlerts(halfAnHour(before, after), ['ZerorateRejectionsHigh', 'ZerorateKeyMismatches']);
    await expectAlerts(hours, ['ZerorateSequenceGaps']);
    await engine.stop();
  });

  test('for records that the topic has lost: the engine halts, and answers for a while to say so', async () => {
    const config = await engines.configure('lost');
    await engines.produce('lost', 7, 400);
    const first = await engines.run(config);
    await first.booked(400);
    const before = await scrape(engines.port);
    await first.stop();
    await engines.produce('lost', 8, 400);
    const ends = await engines.admin.fetchTopicOffsets('lost');
    await engines.admin.deleteTopicRecords({
      topic: 'lost',
      partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
    });
    const second = await engines.run(config);
    const halted = await engines.scraped((seen) => metricOf(seen, 'zerorate_halted', { code: 'records_lost' }) === 1);
    const ready = await fetch(`http://127.0.0.1:${engines.port}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ problems: { engine: expect.stringMatching(/were deleted/) } });
    await expectAlerts(halfAnHour(before, halted), ['ZerorateNotReady', 'ZerorateSourceLoss']);
    expect(await second.stop()).toBe(1);
  });
});
