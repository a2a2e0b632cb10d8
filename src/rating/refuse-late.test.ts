import { expect, test } from 'vitest';
import type { FlowRecord } from './flow-record.ts';
import { Lane } from './lane.ts';
import { NO_FACTS } from './rules.ts';
import { PseudonymKey } from './subscribers.ts';
import { asValue, closedFor, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

const late = (startTime: string, fields: Partial<FlowRecord> = {}) =>
  asValue(testRecord({ startTime: Date.parse(startTime), endTime: Date.UTC(2027, 5), ...fields }));
const WEEKLY = { remoteIp: '8.8.8.8', zeroRatingTag: 'TAG' };
const MONTHLY = { remoteIp: '203.0.113.4' };

test.each<[string, string, string, string, Partial<FlowRecord>]>([
  // A day in Kathmandu begins at 18:15 UTC.
  ['the last day of a month', '2026-09', '2026-09-30T18:14:59.999Z', 'period_closed', {}],
  ['the first day after it', '2026-09', '2026-09-30T18:15:00Z', 'sponsored', {}],
  ['a month long before', '2026-09', '2026-01-01T00:00:00Z', 'period_closed', {}],
  // A week in São Paulo begins on Monday at 03:00 UTC.
  ['a week that began in the month', '2026-09', '2026-10-05T02:59:59.999Z', 'period_closed', WEEKLY],
  ['the first week that did not', '2026-09', '2026-10-05T03:00:00Z', 'sponsored', WEEKLY],
  ['the last week of a year', '2026-12', '2027-01-04T02:59:59Z', 'period_closed', WEEKLY],
  ['the first week of the next', '2026-12', '2027-01-04T03:00:00Z', 'sponsored', WEEKLY],
  ['a version that makes adjustments', '2026-11', '2026-11-20T00:00:00Z', 'sponsored', {}],
])('%s, with %s closed: a record of %s is %s', (_, month, startTime, reason, fields) => {
  const { rated, batch } = rateValues([late(startTime, fields)], testLane(), testRules(closedFor('acme', month)));
  expect(rated[0].reason).toBe(reason);
  expect(batch.rejections).toHaveLength(reason === 'period_closed' ? 1 : 0);
});

test('a plan that makes adjustments books what is late as if nothing had been closed', () => {
  const values = [late('2026-09-10T12:00:00Z', MONTHLY), late('2026-11-10T12:00:00Z', { ...MONTHLY, nodeId: 'gw-2' })];
  const closed = rateValues(values, testLane(), testRules(closedFor('bolt', '2026-10'))).rated;
  expect(closed).toEqual(rateValues(values, testLane(), testRules()).rated);
  expect(closed.map(({ outcome }) => outcome)).toEqual(['charged', 'charged']);
});

test('the months of one sponsor are not those of another, and not those of one that the catalogue has dropped', () => {
  for (const sponsorId of ['bolt', 'gone']) {
    const rules = testRules(closedFor(sponsorId, '2026-12'));
    expect(rateValues([late('2026-09-10T12:00:00Z')], testLane(), rules).rated[0].reason).toBe('sponsored');
  }
});

test('the last month that a date can name is closed to its end', () => {
  const rules = testRules(closedFor('acme', '2149-06'));
  const value = late('2149-06-05T12:00:00Z', { ...WEEKLY, endTime: Date.UTC(2149, 5, 5, 13) });
  expect(rateValues([value], testLane(), rules).rated[0].reason).toBe('period_closed');
});

test('a refused record moves no counter and claims no identity; corrected, it is booked once', () => {
  const rules = testRules(closedFor('acme', '2026-09'));
  const [refused, corrected] = [late('2026-09-10T12:00:00Z'), late('2026-10-10T12:00:00Z')];
  const lane = testLane();
  const { batch, rated } = rateValues([refused, refused, corrected, corrected, refused], lane, rules);
  expect(rated.map(({ reason }) => reason)).toEqual([
    'period_closed',
    'period_closed',
    'sponsored',
    'duplicate',
    'conflicting_duplicate',
  ]);
  expect(rated[0]).toMatchObject({ outcome: 'rejected', sponsored: 0, charge: 0, used: 0, carry: 0 });
  expect(batch.rejections.slice(0, 2)).toEqual(
    [0, 1].map((row) => ({
      row,
      detail: 'the period began on 2026-09-10, and what began before 2026-10-01 is closed',
    })),
  );
  expect(rateValues([corrected], testLane(), rules).rated[0]).toEqual(rated[2]);
  // The month's counter is as it was: asked about it again, it finds nothing used.
  const again = rateValues([late('2026-09-10T12:00:00Z', { nodeId: 'gw-2' })], lane, testRules()).rated[0];
  expect(again).toMatchObject({ sponsored: 550, used: 550 });
});

test('a refused record is not the one that leaves the window of duplicates for others', () => {
  const rules = testRules(closedFor('acme', '2026-09'));
  const lane = new Lane({ pseudonymKey: PseudonymKey.ofRoot(Buffer.alloc(32)), duplicateWindowRecords: 2 });
  const [refused, booked] = [late('2026-09-10T12:00:00Z'), late('2026-10-10T12:00:00Z', { nodeId: 'gw-2' })];
  const reasons = rateValues([booked, refused, booked, booked], lane, rules).rated.map(({ reason }) => reason);
  // It takes a place in the window, as every record does: the booked one is two records back, and then it is new again.
  expect(reasons).toEqual(['sponsored', 'period_closed', 'sponsored', 'duplicate']);
});

test('rules are rebuilt when a fact is new', () => {
  const rules = testRules();
  expect(rules.with(NO_FACTS)).toBe(rules);
  const { closings } = closedFor('acme', '2026-09');
  const closed = rules.with({ ...NO_FACTS, closings });
  expect(closed).not.toBe(rules);
  expect(closed.closingNumber).toBe(1);
  expect(closed.planBook).toBe(rules.planBook);
  const suspensions = { sponsorIds: new Set(['acme']), number: 1 };
  const both = closed.with({ ...NO_FACTS, suspensions, closings });
  expect([both.suspensionNumber, both.closingNumber]).toEqual([1, 1]);
  expect(both.openFromDay).toEqual(closed.openFromDay);
  expect(both.with({ ...NO_FACTS, suspensions, closings })).toBe(both);
});
