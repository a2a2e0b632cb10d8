import { afterEach, beforeEach, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../src/engine/engine.fixture.ts';
import { bookKey, KeyedJournal, type LoadedKey } from '../../src/engine/running/load-key.ts';
import { bookKeyHistory, compareKeyHistory, hasBookings } from '../../src/finance/key-history.ts';
import { erasedKey, parsePseudonymKey, type StoredPseudonymKey } from '../../src/platform/pseudonym-key.ts';
import { PLAIN_RULES } from '../../src/rating/record/record-limits.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import { testRecord, testRules } from '../../src/rating/traffic.fixture.ts';

const NOW_MS = Date.UTC(2026, 10, 25);
const whole = parsePseudonymKey('5a'.repeat(32), 'key');
const once = afterErasureOf(whole, '999000000001', 'request 1');
const twice = afterErasureOf(once, '999000000002', 'request 2');
let opened: OpenedStore;

beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
});
afterEach(() => opened?.close());

function afterErasureOf(stored: StoredPseudonymKey, number: string, why: string): StoredPseudonymKey {
  const key = new PseudonymKey(stored.generations).erased(number, Buffer.alloc(32, 1));
  return erasedKey(stored, key.generations, { erasedAt: '2026-11-24T10:00:00.000Z', who: 'dpo', why });
}

function loaded({ generations, history }: StoredPseudonymKey): LoadedKey {
  return { key: new PseudonymKey(generations), history };
}

test('a state of a key that the store does not know is booked, once, however many processes come at the same time', async () => {
  const { store } = opened;
  expect(await compareKeyHistory(store, once.history)).toEqual({ verdict: 'newer', booked: 0 });
  await Promise.all([once, once, twice].map(({ history }) => bookKeyHistory(store, history, NOW_MS)));
  const rows = await store.query(
    'SELECT number, who, why, toString(effective_at) AS at FROM pseudonym_keys ORDER BY number',
  );
  expect(rows).toMatchObject([
    { who: '', why: '', at: '2026-11-25 00:00:00.000' },
    { who: 'dpo', why: 'request 1', at: '2026-11-24 10:00:00.000' },
    { who: 'dpo', why: 'request 2', at: '2026-11-24 10:00:00.000' },
  ]);
});

test('an older key is distinguished from another one, and neither books anything', async () => {
  const { store } = opened;
  await bookKey(store, loaded(once));
  const parted = afterErasureOf(whole, '999000000003', 'on a copy of the file');
  await expect(bookKey(store, loaded(whole))).rejects.toThrow('this key is older than the store: an erasure is booked');
  await expect(bookKey(store, loaded(parted))).rejects.toThrow('not the key that the store is booked with');
  expect(await compareKeyHistory(store, once.history)).toEqual({ verdict: 'same', booked: 2 });
});

test('an engine that runs while a subscriber is erased ends at its next look, and not before', async () => {
  const { store } = opened;
  const key = loaded(whole);
  await bookKey(store, key);
  const journal = new KeyedJournal(store, key);
  expect((await journal.facts()).closings.number).toBe(0);
  await bookKeyHistory(store, once.history, NOW_MS);
  await expect(journal.facts()).rejects.toMatchObject({ code: 'pseudonym_key_replaced', canRetry: false });
  const log = { topic: 'flows', partition: 0, lane: 'flows-0' };
  const source = memorySource(log, rawRecords([testRecord()], NOW_MS));
  const { catalogue } = testRules();
  await expect(runEngine({ store, journal, source, catalogue })).rejects.toMatchObject({
    code: 'pseudonym_key_replaced',
  });
  expect(await store.query('SELECT 1 FROM journal')).toEqual([]);
});

test('a pseudonym is booked under by a charge, and by a rejected record that names it', async () => {
  const { store } = opened;
  const { catalogue } = testRules();
  const { key } = loaded(whole);
  const records = [
    testRecord({ servedMsisdn: '999000000001' }),
    testRecord({ servedMsisdn: '999000000002', localSequenceNumber: 2, uplinkOctets: -1 }),
    testRecord({ servedMsisdn: '999000000003', localSequenceNumber: 3, remoteIp: '8.8.8.8' }),
  ];
  const source = memorySource({ topic: 'flows', partition: 0, lane: 'flows-0' }, rawRecords(records, NOW_MS));
  await runEngine({ store, source, catalogue, settings: { ...SETTINGS, pseudonymKey: key } });
  const found = await Promise.all(records.map(({ servedMsisdn }) => hasBookings(store, key.pseudonymOf(servedMsisdn))));
  expect(found).toEqual([true, true, false]);
});

const SETTINGS = {
  maxRecords: 100,
  maxBytes: 1 << 24,
  maxDelayMs: 10_000,
  rejectionPayloadBytes: 4096,
  recordRules: PLAIN_RULES,
  duplicateWindowRecords: 1000,
  acceptGaps: false,
};
