import { expect, test } from 'vitest';
import { QuotaAnnouncer, thresholdReached } from './quota-updates.ts';
import { testLane, testRules } from './traffic.fixture.ts';

const THRESHOLDS = [3333, 5000, 10_000];

test.each([
  [0, 0],
  [1000, 0], // 1000.23 octets are a third
  [1001, 3333],
  [1500, 3333],
  [1501, 5000],
  [3000, 5000],
  [3001, 10_000],
  [4000, 10_000], // a later version of the plan has a smaller quota
])('%d octets used of 3001 have reached the threshold %d', (usedOctets, threshold) => {
  expect(thresholdReached(3001, THRESHOLDS, usedOctets)).toBe(threshold);
  expect(thresholdReached(3001, [], usedOctets)).toBe(0);
});

test('nothing is left, and not less than nothing, when a later version has a smaller quota than was used', () => {
  const lane = testLane();
  const { catalogue } = testRules();
  const plan = catalogue.plans.findIndex(({ quotaOctets }) => quotaOctets < Number.POSITIVE_INFINITY);
  const { id, quotaOctets, effectiveFromMs } = catalogue.plans[plan];
  const announcer = new QuotaAnnouncer(2, lane, catalogue, { topic: 'flows', partition: 0 });
  const planPeriod = lane.planPeriods.numberOf(id, 20_000);
  lane.planPeriods.noteVersionFrom(planPeriod, effectiveFromMs);
  const subscriber = lane.subscribers.ofMsisdn('49170');
  announcer.announce(subscriber, plan, planPeriod, quotaOctets - 1, 10);
  announcer.announce(subscriber, plan, planPeriod, quotaOctets + 1, 11);
  expect([...announcer.updates].map(({ remainingOctets, offset }) => [remainingOctets, offset])).toEqual([
    [1, 10],
    [0, 11],
  ]);
});
