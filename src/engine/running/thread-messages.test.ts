import { expect, test } from 'vitest';
import type { StoreError } from '../../platform/clickhouse/store.ts';
import { StoreError as StoreFailure } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { Secret } from '../../platform/config/secret.ts';
import { prepareCatalogue } from '../../rating/prepared-catalogue.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import type { BookedBatch, EngineEvents } from '../book-batch.ts';
import { packCatalogue } from '../reload/packed-catalogue.ts';
import { chatCatalogue } from '../traffic.fixture.ts';
import { NO_TOTALS } from './run-totals.ts';
import { packSetup, receiveEvent, sendEvents, unpackSetup } from './thread-messages.ts';

const log = { topic: 'flows', partition: 3, lane: 'flows-3' };
const place = {
  log,
  bookingDay: 20_000,
  chainedDay: 19_999,
  prev: 9,
  firstOffset: 10,
  lastOffset: 19,
  laneSequence: 4,
  lanePosition: 10,
  gapReason: '' as const,
};
const counts = { charged: 6, not_sponsored: 2, duplicate: 1, rejected: 1 };
const booked: BookedBatch = {
  place,
  digest: 'abc',
  keyMismatches: 1,
  records: counts,
  octets: counts,
  counts: [
    {
      application: { id: 'chat', sponsorId: 'chatter', currency: 'USD' },
      reasonCode: 0,
      records: 6,
      octets: 600,
      chargeMicros: 2 ** 52,
    },
    { application: null, reasonCode: 5, records: 2, octets: 200, chargeMicros: 0 },
  ],
  quotaUpdates: 3,
  publishedThrough: 3,
  durationMs: { read: 1.5, insert: 20 },
  waitedMs: { rate: 3 },
  openCounters: 7,
  windowRecords: 20,
};

/** Events that note their calls. */
function recorded() {
  const calls: unknown[] = [];
  const note =
    (name: keyof EngineEvents) =>
    (...values: unknown[]) =>
      void calls.push([name, ...values]);
  const events: EngineEvents = {
    onAssigned: note('onAssigned'),
    onReleased: note('onReleased'),
    onJournaled: note('onJournaled'),
    onBooked: note('onBooked'),
    onPublished: note('onPublished'),
    onFailed: note('onFailed'),
    onGap: note('onGap'),
  };
  return { calls, events };
}

function callAll(events: EngineEvents, error: StoreError): void {
  events.onAssigned(log, 9);
  events.onJournaled(place);
  events.onBooked(booked);
  events.onPublished({ lane: log.lane, quotaUpdates: 4, publishedThrough: 4 });
  events.onFailed({ place, stage: 'publish', error });
  events.onGap({ reason: 'records_lost', log, firstOffset: 20, lastOffset: 29 }, place);
  events.onReleased(log);
}

test('listeners get the same calls over a thread boundary, and the totals of the time of each', () => {
  const [here, there] = [recorded(), recorded()];
  const error = new StoreFailure('batch_fenced', 'the journal has moved on', { canRetry: true });
  callAll(here.events, error);
  let batches = 0;
  const totals: number[] = [];
  const sent = sendEvents(
    (message) => {
      const copy = structuredClone(message);
      totals.push(copy.totals.batches);
      receiveEvent(copy, there.events);
    },
    () => ({ ...NO_TOTALS, batches: batches++ }),
  );
  callAll(sent, error);
  expect(there.calls).toEqual(here.calls);
  expect(totals).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(there.calls).toContainEqual([
    'onFailed',
    { place, stage: 'publish', error: expect.objectContaining({ code: 'batch_fenced', canRetry: true }) },
  ]);
});

test('a thread has the configuration with its secrets, the key and the catalogue', () => {
  const key = { key: PseudonymKey.ofRoot(Buffer.alloc(32, 7)).erased('4917012345', Buffer.alloc(32, 8)), history: [] };
  const config = { store: { url: 'http://ch', password: new Secret('swordfish') } } as unknown as Config;
  const catalogue = packCatalogue(prepareCatalogue(chatCatalogue()));
  const there = unpackSetup(structuredClone(packSetup({ config, key, catalogue, acceptGaps: true })));
  expect(there).toMatchObject({ config, catalogue, acceptGaps: true });
  expect(there.config.store.url === undefined ? null : there.config.store.password?.reveal()).toBe('swordfish');
  for (const number of ['4917012345', '4917012346']) {
    expect(there.key.key.pseudonymOf(number)).toEqual(key.key.pseudonymOf(number));
  }
});
