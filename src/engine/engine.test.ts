import { describe, expect, test } from 'vitest';
import { NOT_RECORDED } from '../journal/block-rows.ts';
import { type Journal, type QuotaPublisher, QuotaPublisherError } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';
import { NO_PROOF } from '../platform/kafka/log-record.ts';
import { prepareCatalogue } from '../rating/prepared-catalogue.ts';
import { PLAIN_RULES } from '../rating/record/record-limits.ts';
import { NO_FACTS } from '../rating/rules.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import type { Source } from '../sources/source.ts';
import { Engine } from './engine.ts';
import { chatCatalogue } from './traffic.fixture.ts';

const EMPTY_JOURNAL: Journal = {
  insert: async () => {},
  digestAt: async () => null,
  head: async () => ({ sequence: 0, position: 0, topic: '', bookingDay: 0, publishedThrough: NOT_RECORDED }),
  cursor: async () => ({ offset: -1, sourceProof: NO_PROOF }),
  async *counters() {},
  async *seen() {},
  async *seenByEarlier() {},
  moves: async () => [],
  facts: async () => NO_FACTS,
  keepCatalogue: async () => {},
};

const broken = new QuotaPublisherError('kafka_unavailable', 'the brokers are away', { canRetry: true });
const lost = new Error('records are lost');

/** An engine whose one log is assigned and released, and ends with this; its publisher and its source stop with errors, or not. */
function engineOf(end: Error | null, stops: { publisher?: Error; source?: Error }) {
  const timers = new Set<object>();
  const calls: string[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: async () => {},
    after() {
      const timer = {};
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const stopping = (name: string, error: Error | undefined) => async () => {
    calls.push(`${name} stops, timers: ${timers.size}`);
    if (error !== undefined) throw error;
  };
  const source: Source = {
    async run(listener) {
      const log = { topic: 'flows', partition: 0, lane: 'flows-0' };
      await listener.assign(log, async () => null);
      await listener.revoke(log);
      if (end !== null) throw end;
    },
    stop: stopping('source', stops.source),
    reassign() {},
    acknowledge() {},
  };
  const publisher: QuotaPublisher = {
    start: async () => {},
    claim: async () => {},
    publish: async () => {},
    stop: stopping('publisher', stops.publisher),
  };
  const settings = {
    ...{ maxRecords: 10, maxBytes: 1000, maxDelayMs: 1000, rejectionPayloadBytes: 100, duplicateWindowRecords: 10 },
    ...{ recordRules: PLAIN_RULES, pseudonymKey: PseudonymKey.ofRoot(Buffer.alloc(32)), acceptGaps: false },
  };
  const retry = { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1 };
  const onHalt = (error: unknown) => void calls.push(`halts: ${(error as Error).message}`);
  const parts = {
    onHalt,
    journal: EMPTY_JOURNAL,
    catalogue: prepareCatalogue(chatCatalogue()),
    source,
    publisher,
    settings,
    retry,
    clock,
  };
  return { engine: new Engine(parts), timers, calls };
}

describe('an engine that ends', () => {
  const ENDED = ['source stops, timers: 1', 'publisher stops, timers: 0'];

  test.each<[string, Error | null, { publisher?: Error; source?: Error }, Error]>([
    ['its own error, also where its publisher does not stop', lost, { publisher: broken }, lost],
    ['its own error, also where its source does not stop', lost, { source: broken }, lost],
    ['its own error, also where neither does', lost, { source: broken, publisher: broken }, lost],
    ['the publisher’s error where it has none', null, { publisher: broken }, broken],
    ['the source’s error where it has none', null, { source: broken }, broken],
  ])('rejects with %s, and nothing waits any more', async (_, end, stops, error) => {
    const { engine, timers, calls } = engineOf(end, stops);
    await expect(engine.run()).rejects.toBe(error);
    expect(calls).toEqual(end === null ? ENDED : [`halts: ${end.message}`, ...ENDED]);
    expect(timers.size).toBe(0);
  });

  test('resolves where nothing fails', async () => {
    const { engine, timers, calls } = engineOf(null, {});
    expect(await engine.run()).toMatchObject({ batches: 0 });
    expect([calls, timers.size]).toEqual([ENDED, 0]);
  });
});
