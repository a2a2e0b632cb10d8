import { describe, expect, test } from 'vitest';
import type { FlowRecord } from './flow-record.ts';
import { deriveQuotaUpdates, ReachedThresholds } from './quota-updates.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

const LOG = { topic: 'flows', partition: 3 };

function updatesOf(records: readonly Partial<FlowRecord>[], lane = testLane()) {
  const rules = testRules();
  const values = records.map((fields, at) => asValue(testRecord({ localSequenceNumber: at, ...fields })));
  const { batch } = rateValues(values, lane, rules);
  return [...deriveQuotaUpdates(batch, lane, rules.catalogue, LOG)];
}

test('one update for each quota counter that moved, with its last state', () => {
  const updates = updatesOf([
    { uplinkOctets: 1000, downlinkOctets: 0 },
    { servedMsisdn: '7', uplinkOctets: 10, downlinkOctets: 0 },
    { uplinkOctets: 3000, downlinkOctets: 0 },
    { remoteIp: '8.8.8.8' }, // of no application
    { zeroRatingTag: 'TAG', remoteIp: '8.8.8.8' }, // a plan without a quota
  ]);
  expect(updates).toMatchObject([
    { usedOctets: 5, remainingOctets: 19_995, thresholdReached: 0, offset: 1, version: 5, ...LOG },
    {
      usedOctets: 2000,
      remainingOctets: 18_000,
      planId: 'any-day',
      planVersion: 1,
      sponsorId: 'acme',
      offset: 2,
      version: 5,
    },
  ]);
  expect(updates.every(({ subscriber }) => /^[0-9a-f]{32}$/.test(subscriber))).toBe(true);
});

test('a late record of an earlier period announces nothing', () => {
  const lane = testLane();
  const yesterday = Date.UTC(2026, 10, 9, 12);
  expect(updatesOf([{ startTime: yesterday, endTime: yesterday }], lane)).toHaveLength(1);
  expect(updatesOf([{ localSequenceNumber: 10 }], lane)).toHaveLength(1);
  expect(updatesOf([{ localSequenceNumber: 11, startTime: yesterday, endTime: yesterday }], lane)).toEqual([]);
});

describe('a new version of a plan within a period', () => {
  // Both are in the period of the 20th in Kathmandu; version 2 is in force from 05:45 there.
  const version1 = { startTime: Date.UTC(2026, 10, 19, 23), endTime: Date.UTC(2026, 10, 19, 23, 1) };
  const version2 = { startTime: Date.UTC(2026, 10, 20, 1), endTime: Date.UTC(2026, 10, 20, 1, 1) };

  test('shows what its own quota leaves', () => {
    expect(updatesOf([version1, version2])).toMatchObject([{ planVersion: 2, quotaOctets: 9000, usedOctets: 1100 }]);
  });

  test('is not taken back by a late record of the version before', () => {
    expect(updatesOf([version2, version1])).toMatchObject([{ planVersion: 2, quotaOctets: 9000, usedOctets: 1100 }]);
  });
});

describe('updates that must not wait', () => {
  /** By batch: the use that each urgent update says. */
  function urgentOf(batches: readonly (readonly Partial<FlowRecord>[])[]): number[][] {
    const [lane, rules, reached] = [testLane(), testRules(), new ReachedThresholds()];
    let sequence = 0;
    return batches.map((records) => {
      const values = records.map((fields) => asValue(testRecord({ localSequenceNumber: ++sequence, ...fields })));
      const { batch } = rateValues(values, lane, rules);
      const updates = deriveQuotaUpdates(batch, lane, rules.catalogue, LOG, reached);
      return updates.urgent.map((index) => updates.usedOctets[index]);
    });
  }
  const octets = (uplinkOctets: number, fields: Partial<FlowRecord> = {}) => ({
    uplinkOctets,
    downlinkOctets: 0,
    ...fields,
  });
  // Half of the octets are sponsored.
  const { quotaOctets, notifyAtBasisPoints } = testRules().catalogue.plans.find(({ id }) => id === 'any-day') ?? {
    quotaOctets: 0,
    notifyAtBasisPoints: [],
  };
  const threshold = (quotaOctets * (notifyAtBasisPoints[0] ?? 10_000)) / 10_000;

  test('are those that reach a threshold, once, and those that use up what is left', () => {
    expect(notifyAtBasisPoints.length).toBeGreaterThan(0);
    const [below, above, rest] = [octets(2 * threshold - 2), octets(4), octets(2 * quotaOctets)];
    expect(urgentOf([[below], [above], [octets(2)], [rest], [octets(2)]])).toEqual([
      [],
      [threshold + 1],
      [],
      [quotaOctets],
      [],
    ]);
  });

  test('are none of other subscribers, and every subscriber has its own', () => {
    const [one, other] = [octets(2 * threshold), octets(2 * threshold, { servedMsisdn: '7' })];
    expect(urgentOf([[one, octets(2, { servedMsisdn: '7' })], [other]])).toEqual([[threshold], [threshold + 1]]);
  });

  test('are known of any number of counters', () => {
    const reached = new ReachedThresholds();
    expect([5, 100_000, 5].map((counter) => reached.rises(counter, 10, 8000))).toEqual([true, true, false]);
    expect([reached.rises(5, 10, 0), reached.rises(5, 10, 5000), reached.rises(5, 0, 5000)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
