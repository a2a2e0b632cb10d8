import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { auditDuplicates } from './audit-duplicates.ts';

const START_MS = Date.UTC(2026, 10, 20, 12);
let opened: OpenedStore;

const numbered = (localSequenceNumber: number, startTime = START_MS) =>
  testRecord({
    localSequenceNumber,
    servedMsisdn: '999000000001',
    startTime,
    endTime: startTime + 1000,
    remoteIp: '198.51.100.7',
    uplinkOctets: 10,
    downlinkOctets: 20 + localSequenceNumber,
  });

async function book(lane: string, records: ReturnType<typeof numbered>[]): Promise<void> {
  const source = memorySource({ topic: lane, partition: 0, lane }, rawRecords(records, START_MS));
  await runEngine({ store: opened.store, source, catalogue: testRules().catalogue });
}

async function messages(atOnce?: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { invariant, message } of auditDuplicates(opened.store, atOnce)) {
    expect(invariant).toBe('duplicates');
    found.push(message);
  }
  return found;
}

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await book('a', [numbered(1), numbered(2), numbered(3)]);
});
afterAll(() => opened?.close());

test('records charged once, and a node that restarts its numbers, are no duplicates', async () => {
  await book('b', [numbered(1, START_MS + 3_600_000), numbered(4)]);
  expect(await messages()).toEqual([]);
});

test('a duplicate outside of the window is found, with both places and amounts', async () => {
  await book('c', [numbered(2), numbered(5)]);
  const [message, ...others] = await messages();
  expect(others).toEqual([]);
  expect(message).toMatch(
    / 2 is charged 2 times .*lane a, a-0 offset 1: \d+; lane c, c-0 offset 0: \d+\), [\d.]+ [A-Z]{3} together/,
  );
  expect(await messages(1)).toEqual([message]);
});

test('a duplicate that a correction has reversed is none', async () => {
  await opened.store.command(
    'INSERT INTO corrections (kind, number, topic, partition, offset, sponsor_id, sponsored_octets, charge_micros) ' +
      "SELECT 'reversal', 1, topic, partition, offset, sponsor_id, -toInt64(sponsored_octets), -charge_micros " +
      "FROM journal WHERE kind = 'charge' AND topic = 'c' AND offset = 0",
  );
  expect(await messages()).toEqual([]);
});
