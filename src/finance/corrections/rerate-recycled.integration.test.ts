import { afterAll, beforeAll, expect, test } from 'vitest';
import { CorrectionAudit } from '../../assurance/audit/audit-corrections.ts';
import { auditSource } from '../../assurance/audit/audit-source.ts';
import { OPEN_STORE, type OpenedStore, PSEUDONYM_KEY, rawRecords } from '../../engine/engine.fixture.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { bookCorrection } from './book-correction.ts';
import { bookedSource, type SourceLog } from './booked-source.fixture.ts';
import { AUTUMN, BOOKED_AT_MS, book, currentRows, MISSED, RIGHT } from './missed-traffic.fixture.ts';

const record = (localSequenceNumber: number, fields: Partial<FlowRecord>) =>
  testRecord({ localSequenceNumber, contentType: 'text', uplinkOctets: 0, downlinkOctets: 9000, ...fields });
const TAGGED = { remoteIp: '8.8.8.8', zeroRatingTag: 'ANY' };
const FLOWS: SourceLog = {
  log: { topic: 'flows', partition: 0, lane: 'flows-0' },
  records: rawRecords([record(1, {}), record(2, TAGGED)], BOOKED_AT_MS),
};
/** Corrected records of a rejection, which were booked in the lane between the others, and are in no topic. */
const RECYCLED: SourceLog = {
  log: { topic: 'recycled/1/flows', partition: 0, lane: 'flows-0' },
  records: rawRecords([record(3, TAGGED), record(4, { remoteIp: '8.8.8.8' })], BOOKED_AT_MS, 50),
};

let opened: OpenedStore;
let known: unknown;

async function bookAll(into: Store, rules: typeof RIGHT): Promise<void> {
  await book(into, rules, { ...FLOWS, records: FLOWS.records.slice(0, 1) });
  await book(into, rules, RECYCLED);
  await book(into, rules, FLOWS);
}

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await bookAll(opened.store, RIGHT);
  known = await currentRows(opened.store);
  await opened.close();
  opened = await OPEN_STORE.embedded();
  await bookAll(opened.store, MISSED);
});
afterAll(() => opened?.close());

test('recycled records count where the lane booked them, with the application as booked; those without a sponsor are counted', async () => {
  const atFirst = await currentRows(opened.store);
  const correct = (name: string, rules: typeof RIGHT) =>
    bookCorrection(
      opened.store,
      rules,
      { name, who: 'ada', why: 'a test', sponsorId: 'acme', range: AUTUMN },
      systemClock,
      { openSource: async () => bookedSource(opened.store, [FLOWS]) },
    );
  expect(await correct('forward', RIGHT)).toMatchObject({ outcome: 'booked', leftOut: { recycledRecords: 1 } });
  expect(await currentRows(opened.store)).toEqual(known);
  const used =
    "SELECT toUInt32(used_octets_after) AS used FROM corrections WHERE number = 1 AND kind = 'charge' ORDER BY used";
  expect(await opened.store.query(used)).toEqual([{ used: 9000 }, { used: 18_000 }, { used: 20_000 }]);
  await correct('back', MISSED);
  expect(await currentRows(opened.store)).toEqual(atFirst);
});

test('a second computation counts them there, too, and finds what is changed', async () => {
  const messages = async () => {
    const { evidence, walk, readable } = bookedSource(opened.store, [FLOWS]);
    const settings = {
      pseudonymKey: PSEUDONYM_KEY,
      duplicateWindowRecords: 1000,
      rejectionPayloadBytes: 4096,
      recordRules: PLAIN_RULES,
      corrections: new CorrectionAudit(opened.store, evidence, PSEUDONYM_KEY),
    };
    const found: string[] = [];
    const walked = walk(readable(await evidence.batches()), () => {});
    for await (const { message } of auditSource(evidence, walked, settings)) found.push(message);
    return found;
  };
  expect(await messages()).toEqual([]);
  await opened.store.command(
    "ALTER TABLE corrections UPDATE charge_micros = charge_micros + 1 WHERE number = 1 AND kind = 'charge' AND topic = 'recycled/1/flows' SETTINGS mutations_sync = 2",
  );
  expect(await messages()).toEqual([
    expect.stringMatching(/^correction 1, record \d+: charge_micros \d+, computed again \d+$/),
  ]);
});
