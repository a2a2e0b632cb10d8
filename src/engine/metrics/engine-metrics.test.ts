import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { BatchPlace } from '../../journal/block-rows.ts';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { OUTCOMES, type Outcome, REASON_CODE, type Reason } from '../../rating/outcome.ts';
import type { BookedBatch } from '../book-batch.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { metricOf, parseExposition, type Scrape } from './scrape.fixture.ts';

const place = (laneSequence: number) =>
  ({ log: { topic: 'flows', partition: 0, lane: 'flows-0' }, laneSequence }) as BatchPlace;

function booked(
  laneSequence: number,
  counts: [Reason, Outcome, isRecognised: boolean, records: number][],
): BookedBatch {
  const sums = Object.fromEntries(
    OUTCOMES.map((outcome) => [
      outcome,
      counts.filter(([, own]) => own === outcome).reduce((sum, [, , , records]) => sum + records, 0),
    ]),
  ) as Record<Outcome, number>;
  return {
    place: place(laneSequence),
    digest: '',
    keyMismatches: 1,
    records: sums,
    octets: sums,
    counts: counts.map(([reason, outcome, isRecognised, records]) => ({
      application: isRecognised ? { id: 'chat', sponsorId: 'chatter', currency: 'USD' } : null,
      reasonCode: REASON_CODE[reason],
      records,
      octets: records * 100,
      chargeMicros: outcome === 'charged' ? records * 7 : 0,
    })),
    quotaUpdates: 2,
    publishedThrough: laneSequence,
    durationMs: { read: 10, insert: 300 },
    waitedMs: { rate: 5 },
    openCounters: 5,
    windowRecords: 40,
  };
}

function watched() {
  const registry = new Registry();
  const metrics = new EngineMetrics(registry);
  const look = async (): Promise<Scrape> => parseExposition(await registry.metrics());
  return { metrics, look };
}

test('a batch moves every counter by its summary, once', async () => {
  const { metrics, look } = watched();
  expect(metricOf(await look(), 'zerorate_records_total')).toBe(0);
  for (const sequence of [1, 2]) {
    metrics.onJournaled(place(sequence));
    metrics.onBooked(
      booked(sequence, [
        ['sponsored', 'charged', true, 6],
        ['content_not_covered', 'not_sponsored', true, 3],
        ['no_evidence', 'not_sponsored', false, 2],
        ['malformed', 'rejected', false, 1],
      ]),
    );
  }
  const seen = await look();
  const of = (name: string, labels: Record<string, string> = {}) => metricOf(seen, `zerorate_${name}`, labels);
  expect(of('records_read_total')).toBe(24);
  expect(of('records_total')).toBe(24);
  expect(of('records_total', { outcome: 'not_sponsored', reason: 'no_evidence' })).toBe(4);
  expect(of('octets_total', { outcome: 'rejected' })).toBe(200);
  expect(of('octets_total', { outcome: 'not_sponsored', reason: 'no_evidence' })).toBe(400);
  expect(of('application_records_total', { application: 'chat', outcome: 'charged' })).toBe(12);
  expect(of('application_records_total')).toBe(18);
  expect(of('charged_micros_total', { sponsor: 'chatter', currency: 'USD' })).toBe(84);
  expect([of('batches_total', { outcome: 'booked' }), of('published_batches_total')]).toEqual([2, 2]);
  expect([of('quota_updates_total'), of('key_mismatches_total'), of('open_counters', { lane: 'flows-0' })]).toEqual([
    4, 2, 5,
  ]);
  expect(of('batch_step_seconds_sum', { step: 'insert' })).toBeCloseTo(0.6);
  expect(of('batch_step_seconds_count', { step: 'publish' })).toBe(0);
});

test('late answers of an ended engine do not change the gauge of waiting batches', async () => {
  const { metrics, look } = watched();
  const waiting = async () => metricOf(await look(), 'zerorate_unpublished_batches');
  metrics.begin();
  metrics.onJournaled(place(1));
  metrics.onJournaled(place(2));
  expect(await waiting()).toBe(2);
  metrics.begin();
  expect(await waiting()).toBe(0);
  metrics.onFailed({ place: place(2), stage: 'publish', error: new StoreError('batch_fenced', 'fenced') });
  expect(await waiting()).toBe(0);
  metrics.onJournaled(place(3));
  expect(await waiting()).toBe(1);
  metrics.onAssigned(place(3).log);
  expect(await waiting()).toBe(0);
});

test('batches whose updates wait count as published once they are, with a later batch or without one', async () => {
  const { metrics, look } = watched();
  const counts = async () => {
    const seen = await look();
    const names = ['zerorate_unpublished_batches', 'zerorate_published_batches_total', 'zerorate_quota_updates_total'];
    return names.map((name) => metricOf(seen, name));
  };
  for (const sequence of [1, 2, 3]) {
    metrics.onJournaled(place(sequence));
    metrics.onBooked({ ...booked(sequence, []), quotaUpdates: sequence === 1 ? 5 : 0, publishedThrough: 1 });
  }
  expect(await counts()).toEqual([2, 1, 5]);
  metrics.onPublished({ lane: 'flows-1', quotaUpdates: 1, publishedThrough: 9 });
  metrics.onPublished({ lane: 'flows-0', quotaUpdates: 7, publishedThrough: 2 });
  expect(await counts()).toEqual([1, 2, 13]);
  metrics.onJournaled(place(4));
  metrics.onBooked({ ...booked(4, []), quotaUpdates: 2 });
  expect(await counts()).toEqual([0, 4, 15]);
  metrics.onJournaled(place(5));
  metrics.onReleased(place(5).log);
  expect(await counts()).toEqual([0, 4, 15]);
});
