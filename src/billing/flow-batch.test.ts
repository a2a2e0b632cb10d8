import { expect, test } from 'vitest';
import { FlowBatch } from './flow-batch.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

test('a cleared batch is as good as a new one', () => {
  const values = [
    {},
    { remoteIp: '8.8.8.8' },
    { uplinkOctets: -1 },
    { zeroRatingTag: 'TAG', remoteIp: '2001:db8::1' },
    { sponsorIdentity: 'bolt-pays' },
  ].map((fields, at) => asValue({ ...testRecord({ localSequenceNumber: at }), ...fields }));
  const { batch } = rateValues(values, testLane(), testRules());
  batch.clear();
  expect(batch).toEqual(new FlowBatch(values.length));
});
