import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../engine/traffic.fixture.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const SUMS =
  'count() AS records, sum(uplink_octets) AS uplink, sum(downlink_octets) AS downlink, ' +
  'sum(sponsored_octets) AS sponsored, sum(charge_micros) AS micros';
const BY_DAY = `SELECT booking_date, reason, content_type, ${SUMS} FROM charges GROUP BY ALL ORDER BY ALL`;

let opened: OpenedStore;

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const records = Array.from({ length: 600 }, (_, localSequenceNumber) =>
    chatRecord({
      localSequenceNumber,
      servedMsisdn: `49170${localSequenceNumber % 9}000000`,
      contentType: localSequenceNumber % 3 === 0 ? 'video' : null,
      uplinkOctets: localSequenceNumber,
    }),
  );
  // Three days of bookings, the last ones of another month.
  for (const day of [0, 1, 8]) {
    const timestampMs = Date.UTC(2026, 10, 23) + day * DAY_MS;
    const log = { topic: `flow-${day}`, partition: 0, lane: `flow-${day}-0` };
    await runEngine({
      store: opened.store,
      catalogue: chatCatalogue(),
      source: memorySource(log, rawRecords(records, timestampMs)),
    });
  }
});
afterAll(() => opened?.close());

const rowsOf = (sql: string, settings: string) => opened.store.query(`${sql} SETTINGS ${settings}`);

/** What the projection says, or an error when the query cannot use it, beside what the rows say. */
async function expectSame(sql: string): Promise<void> {
  const fromTotals = await rowsOf(sql, 'optimize_use_projections = 1, force_optimize_projection = 1');
  expect(fromTotals).toEqual(await rowsOf(sql, 'optimize_use_projections = 0, force_optimize_projection = 0'));
  expect(fromTotals.length).toBeGreaterThan(0);
}

test('every part keeps the sums of its own rows', async () => {
  const [counts] = await rowsOf(
    "SELECT countIf(NOT has(projections, 'usage_totals')) AS without, toBool(count() > 0) AS parts FROM system.parts " +
      "WHERE active AND database = currentDatabase() AND table = 'journal'",
    'optimize_use_projections = 1',
  );
  expect(counts).toEqual({ without: 0, parts: true });
});

test.each([
  ['charges', BY_DAY],
  [
    'booking_totals, of one sponsor and month',
    "SELECT plan_id, plan_version, sum(sponsored_octets) AS sponsored, sum(charge_micros) AS micros FROM booking_totals WHERE sponsor_id = 'chatter' AND month = '2026-11-01' GROUP BY ALL",
  ],
  ['account_balances', 'SELECT * FROM account_balances'],
])('%s is read from these sums, and they are those of the rows', (_, sql) => expectSame(sql));

test('they are merged with their rows', async () => {
  const before = await opened.store.query(BY_DAY);
  await opened.store.command('OPTIMIZE TABLE journal FINAL');
  await expectSame(BY_DAY);
  expect(await opened.store.query(BY_DAY)).toEqual(before);
});

test('what one record is asked for reads the rows', async () => {
  const asked = rowsOf(
    'SELECT subscriber, sum(charge_micros) FROM charges GROUP BY ALL',
    'force_optimize_projection = 1',
  );
  await expect(asked).rejects.toThrow('No projection is used');
});
