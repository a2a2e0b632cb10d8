import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Journal } from '../../journal/journal.ts';
import { QuotaPublisherError } from '../../journal/journal.ts';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { notifyAll } from '../book-batch.ts';
import {
  memoryPublisher,
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  rawRecords,
  runEngine,
} from '../engine.fixture.ts';
import type { EngineOptions } from '../engine.ts';
import { chatCatalogue, chatRecord } from '../traffic.fixture.ts';
import { ConsumerLag } from './consumer-lag.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { expectAlerts, promtool, RULES } from './promtool.fixture.ts';
import { metricOf, parseExposition, type Scrape } from './scrape.fixture.ts';

const CASES = packagePath('docker/prometheus/alerts.test.yaml');

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; runbook: string };
}

interface AlertCase {
  alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
}

const rules: Rule[] = parse(readFileSync(RULES, 'utf8')).groups.flatMap((group: { rules: Rule[] }) => group.rules);
const names = rules.map(({ alert }) => alert);

describe('the rules', () => {
  test('are well-formed, and every case of theirs passes', async () => {
    for (const args of [
      ['check', 'rules', RULES],
      ['test', 'rules', CASES],
    ]) {
      const { code, output } = await promtool(...args);
      expect(code, output).toBe(0);
    }
  });

  test.each(names)('%s fires in one case, stays silent in another, and has a section in the run-book', (name) => {
    const cases: AlertCase[] = parse(readFileSync(CASES, 'utf8')).tests;
    const own = cases.flatMap(({ alert_rule_test }) => alert_rule_test).filter(({ alertname }) => alertname === name);
    expect(own.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true);
    expect(own.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
    const runbook = readFileSync(packagePath('docs/operate/runbook.md'), 'utf8');
    expect(runbook.split('\n')).toContain(`## ${name}`);
    const rule = rules.find(({ alert }) => alert === name);
    expect(rule?.annotations.runbook).toBe(`docs/operate/runbook.md#${name.toLowerCase()}`);
  });

  test('every section of the run-book has an alert', () => {
    const sections = readFileSync(packagePath('docs/operate/runbook.md'), 'utf8').matchAll(/^## (Zerorate\w+)$/gm);
    expect([...sections].map(([, name]) => name)).toEqual(names);
  });
});

describe('an engine in trouble', () => {
  let opened: OpenedStore;
  let topics = 0;

  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
  });
  afterAll(() => opened?.close());

  /**
   * Runs an engine over a log of 200 records, observed as `run` does, and scrapes it before and after, however it ends. An
   * engine that hangs for ever is scraped once `hangs` has resolved.
   */
  async function watched(
    disturb: (journal: Journal) => Omit<Partial<EngineOptions>, 'catalogue'>,
    options: { runs?: number; logEnd?: number; hangs?: Promise<void> } = {},
  ): Promise<{ before: Scrape; after: Scrape }> {
    const topic = `trouble-${++topics}`;
    const log = { topic, partition: 0, lane: `${topic}-0` };
    const registry = new Registry();
    const metrics = new EngineMetrics(registry);
    const fetchBounds = async () => new Map([[0, { startOffset: 0, endOffset: options.logEnd ?? 200 }]]);
    const lag = new ConsumerLag({ registry, topic, fetchBounds, clock: systemClock, onProblem: () => {} });
    const scraped = async () => parseExposition(await registry.metrics());
    const records = rawRecords(
      Array.from({ length: 200 }, (_, at) =>
        chatRecord({ localSequenceNumber: at, servedMsisdn: `9990000000${at % 9}` }),
      ),
      Date.UTC(2026, 10, 30),
    );
    lag.start();
    const before = await scraped();
    for (let run = 0; run < (options.runs ?? 1); run++) {
      const ended = runEngine({
        store: opened.store,
        source: { ...memorySource(log, records), stop: async () => {} },
        catalogue: chatCatalogue(),
        maxRecords: 10,
        retry: { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1 },
        ...notifyAll([metrics, lag]),
        ...disturb(new ClickHouseJournal(opened.store)),
      });
      await Promise.race([ended.catch(() => {}), ...(options.hangs === undefined ? [] : [options.hangs])]);
    }
    const after = await scraped();
    lag.stop();
    return { before, after };
  }

  const overHours = ({ before, after }: { before: Scrape; after: Scrape }) => [
    { scrape: before, minutes: 5 },
    { scrape: after, minutes: 30 },
  ];

  test('no alert fires without a fault', async () => {
    const scraped = await watched(() => ({}));
    expect(metricOf(scraped.after, 'zerorate_consumer_lag_records')).toBe(null);
    expect(metricOf(scraped.after, 'zerorate_batches_total', { outcome: 'booked' })).toBe(20);
    expect(metricOf(scraped.after, 'zerorate_batch_step_seconds_count', { step: 'insert' })).toBe(20);
    await expectAlerts(overHours(scraped), []);
  });

  test('batches that another engine fences', async () => {
    const fenced = () => Promise.reject(new StoreError('batch_fenced', 'another has booked', { canRetry: true }));
    const scraped = await watched((journal) => ({ journal: bound(journal, { insert: fenced }) }), { runs: 40 });
    expect(metricOf(scraped.after, 'zerorate_batches_total', { outcome: 'fenced' })).toBeGreaterThan(39);
    await expectAlerts(overHours(scraped), ['ZerorateNothingBooked', 'ZerorateBatchesFenced']);
  });

  test('a lane that another publisher claims', async () => {
    const publish = async () => {
      throw new QuotaPublisherError('claim_lost', 'another has claimed the lane', { canRetry: true });
    };
    const scraped = await watched(() => ({ publisher: { ...memoryPublisher(), publish } }));
    // The next batch was booked before the first one's updates were refused: the updates of both are derived again.
    const lost = metricOf(scraped.after, 'zerorate_publish_failures_total', { code: 'claim_lost' });
    expect(lost).toBe(metricOf(scraped.after, 'zerorate_batches_total', { outcome: 'booked' }));
    expect(metricOf(scraped.after, 'zerorate_unpublished_batches')).toBe(0);
  });

  test('a store that refuses inserts', async () => {
    const refuse = () => Promise.reject(new StoreError('store_full', 'no room'));
    const scraped = await watched((journal) => ({ journal: bound(journal, { insert: refuse }) }), { runs: 15 });
    await expectAlerts(overHours(scraped), ['ZerorateNothingBooked', 'ZerorateBatchesFailing']);
  });

  test('inserts that take long', async () => {
    let waitedMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + waitedMs };
    const slow = (journal: Journal) => ({
      insert: (...args: Parameters<Journal['insert']>) => {
        waitedMs += 8000;
        return journal.insert(...args);
      },
    });
    const scraped = await watched((journal) => ({ clock, journal: bound(journal, slow(journal)) }));
    expect(metricOf(scraped.after, 'zerorate_batches_total', { outcome: 'booked' })).toBe(20);
    await expectAlerts(overHours(scraped), ['ZerorateInsertSlow']);
  });

  test('a store that does not answer: nothing is booked while records wait', async () => {
    const { never, hangs } = hanging();
    const scraped = await watched((journal) => ({ journal: bound(journal, { insert: never }) }), {
      logEnd: 5000,
      hangs,
    });
    expect(metricOf(scraped.after, 'zerorate_consumer_lag_records')).toBe(5000);
    await expectAlerts(overHours(scraped), ['ZerorateNothingBooked']);
  });

  test('a topic that grows faster than bookings', async () => {
    const registry = new Registry();
    const log = { topic: 'growing', partition: 0, lane: 'growing-0' };
    let [endOffset, later] = [0, () => {}];
    const lag = new ConsumerLag({
      registry,
      topic: log.topic,
      fetchBounds: async () => new Map([[0, { startOffset: 0, endOffset }]]),
      clock: {
        after(_ms, call) {
          later = call;
          return () => {};
        },
      },
      onProblem: () => {},
    });
    lag.onAssigned(log, -1);
    lag.start();
    const scraped = [];
    for (let minute = 0; minute < 45; minute++) {
      endOffset += 20_000;
      later();
      await systemClock.sleep(1);
      scraped.push({ scrape: parseExposition(await registry.metrics()), minutes: 1 });
    }
    expect(metricOf(scraped[44].scrape, 'zerorate_consumer_lag_records')).toBe(900_000);
    await expectAlerts(scraped, ['ZerorateLagGrowing']);
    await expectAlerts([...scraped.slice(0, 10), ...scraped.slice(0, 10).reverse()], []);
  });

  test('quota updates that no broker takes', async () => {
    const { never, hangs } = hanging();
    const scraped = await watched(() => ({ publisher: { ...memoryPublisher(), publish: never } }), { hangs });
    expect(metricOf(scraped.after, 'zerorate_unpublished_batches')).toBeGreaterThan(0);
    await expectAlerts(
      [...overHours(scraped), { scrape: scraped.after, minutes: 15 }],
      ['ZerorateNothingBooked', 'ZerorateQuotaPublisherBehind'],
    );
  });
});

/** Returns a call that never returns, and a promise that resolves once it was made. */
function hanging(): { never: () => Promise<never>; hangs: Promise<void> } {
  let made = () => {};
  const hangs = new Promise<void>((resolve) => {
    made = resolve;
  });
  const never = () => {
    made();
    return new Promise<never>(() => {});
  };
  return { never, hangs };
}

/** Returns the journal with some of its methods replaced. */
function bound(journal: Journal, taken: Partial<Journal>): Journal {
  return new Proxy(journal, {
    get(target, name: keyof Journal) {
      const method = taken[name] ?? target[name];
      return (method as (...args: unknown[]) => unknown).bind(target);
    },
  });
}
