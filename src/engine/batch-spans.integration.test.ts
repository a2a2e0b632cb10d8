import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClickHouseJournal } from '../journal/clickhouse-journal.ts';
import { StoreError } from '../platform/clickhouse/store.ts';
import { BATCH_STEPS } from './batch-steps.ts';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from './engine.fixture.ts';
import { chatCatalogue, chatRecord } from './traffic.fixture.ts';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

const records = rawRecords(
  Array.from({ length: 25 }, (_, at) => chatRecord({ localSequenceNumber: at })),
  Date.UTC(2026, 10, 30),
);

function recorder() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  return { exporter, tracer: provider.getTracer('test') };
}

const childrenOf = (batch: ReadableSpan, spans: readonly ReadableSpan[]) =>
  spans
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === batch.spanContext().spanId)
    .map(({ name }) => name);

test('every batch is a trace of its own: what it is, and a span for each of its steps', async () => {
  const { exporter, tracer } = recorder();
  const log = { topic: 'spans', partition: 0, lane: 'spans-0' };
  const source = memorySource(log, records);
  await runEngine({ store: opened.store, source, catalogue: chatCatalogue(), maxRecords: 10, tracer });
  const spans = exporter.getFinishedSpans();
  const batches = spans.filter(({ name }) => name === 'batch');
  expect(batches.map(({ attributes }) => attributes)).toEqual(
    [
      [1, -1, 0, 9, 10],
      [2, 9, 10, 19, 10],
      [3, 19, 20, 24, 5],
    ].map(([batch, prev, first, last, count]) => ({
      'zerorate.lane': 'spans-0',
      'zerorate.batch': batch,
      'zerorate.prev': prev,
      'zerorate.first_offset': first,
      'zerorate.last_offset': last,
      'zerorate.records': count,
      'zerorate.outcome': 'booked',
    })),
  );
  for (const batch of batches) expect(childrenOf(batch, spans)).toEqual([...BATCH_STEPS]);
  expect(new Set(batches.map((batch) => batch.spanContext().traceId)).size).toBe(3);
});

test('a batch that is fenced ends with its insert', async () => {
  const { exporter, tracer } = recorder();
  const log = { topic: 'fenced', partition: 0, lane: 'fenced-0' };
  class Refusing extends ClickHouseJournal {
    override insert(): Promise<void> {
      return Promise.reject(new StoreError('batch_fenced', 'the lane has moved on', { canRetry: true }));
    }
  }
  const journal = new Refusing(opened.store);
  const source = { ...memorySource(log, records), stop: async () => {} };
  const ended = runEngine({
    store: opened.store,
    source,
    catalogue: chatCatalogue(),
    maxRecords: 100,
    tracer,
    journal,
  });
  await expect(ended).rejects.toMatchObject({ code: 'batch_fenced' });
  const spans = exporter.getFinishedSpans();
  const [batch] = spans.filter(({ name }) => name === 'batch');
  expect(batch.attributes).toMatchObject({ 'zerorate.lane': 'fenced-0', 'zerorate.outcome': 'fenced' });
  expect(childrenOf(batch, spans)).toEqual(['read', 'rate', 'encode', 'insert']);
});
