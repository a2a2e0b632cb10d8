import { SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { BatchSteps } from './batch-steps.ts';

function watched() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { exporter, pass, steps: new BatchSteps('flows-0', provider.getTracer('test'), clock) };
}

test('a step lasts until the next one or until the batch waits, and is a child of the batch', () => {
  const { exporter, pass, steps } = watched();
  pass(5);
  steps.rest();
  pass(100);
  steps.next('rate');
  pass(7);
  steps.next('insert');
  pass(30);
  steps.describe({ 'zerorate.records': 3 });
  steps.end('booked');
  expect(steps.durationMs).toEqual({ read: 5, rate: 7, insert: 30 });
  expect(steps.waitedMs).toEqual({ rate: 100 });

  const spans = exporter.getFinishedSpans();
  expect(spans.map(({ name }) => name)).toEqual(['read', 'rate', 'insert', 'batch']);
  const batch = spans[3];
  expect(batch.attributes).toEqual({
    'zerorate.lane': 'flows-0',
    'zerorate.records': 3,
    'zerorate.outcome': 'booked',
  });
  expect(batch.parentSpanContext).toBeUndefined();
  for (const child of spans.slice(0, 3)) {
    expect(child.parentSpanContext?.spanId).toBe(batch.spanContext().spanId);
    expect(child.status.code).toBe(SpanStatusCode.UNSET);
  }
});

test('what a batch failed with is recorded for the batch, and for the step that it failed in', () => {
  const { exporter, steps } = watched();
  steps.next('insert');
  steps.end('fenced', new Error('another batch is there'));
  const failed = exporter.getFinishedSpans().filter(({ status }) => status.code === SpanStatusCode.ERROR);
  expect(failed.map(({ name, status }) => [name, status.message])).toEqual([
    ['insert', 'another batch is there'],
    ['batch', 'another batch is there'],
  ]);
});

test('without a provider nothing is recorded, and durations are known all the same', () => {
  let nowMs = 0;
  const steps = new BatchSteps('flows-0', trace.getTracer('test'), { monotonicMs: () => nowMs });
  nowMs = 4;
  steps.end('booked');
  expect(steps.durationMs).toEqual({ read: 4 });
});
