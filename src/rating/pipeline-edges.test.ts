import { expect, test } from 'vitest';
import { decodeJson } from './decode/decode-json.ts';
import { FlowBatch, type FlowRecord } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { admit, classifyBatch, earliestPeriodStart, rateBatch } from './pipeline.ts';
import { PLAIN_RULES } from './record/record-limits.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const rules = testRules();
const context = { decode: decodeJson, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 };
const at = (startTime: number): Partial<FlowRecord> => ({ startTime, endTime: startTime });
const ratedAlone = (overrides: Partial<FlowRecord>) =>
  rateValues([asValue(testRecord(overrides))], testLane(), rules).rated[0];

test('a plan is in force from its first millisecond on, and not in its last', () => {
  const begin = Date.UTC(2026, 0, 1);
  const end = Date.UTC(2026, 10, 20);
  const [first, second] = [0, 1];
  expect(ratedAlone(at(begin - 1))).toMatchObject({ reason: 'no_plan' });
  expect(ratedAlone(at(begin))).toMatchObject({ reason: 'sponsored', plan: first });
  expect(ratedAlone(at(end - 1))).toMatchObject({ reason: 'sponsored', plan: first });
  expect(ratedAlone(at(end))).toMatchObject({ reason: 'sponsored', plan: second });
});

test('content with a share of 0 is covered: the record is charged with nothing', () => {
  expect(ratedAlone({ contentType: 'video' })).toMatchObject({ reason: 'sponsored', sponsored: 0, charge: 0 });
  expect(ratedAlone({ contentType: 'voice' })).toMatchObject({ reason: 'content_not_covered' });
});

test('an ASP identity and a sponsor identity of two sponsors conflict, those of one sponsor do not', () => {
  const outside = { remoteIp: '9.9.9.9' };
  const pays = (applicationServiceProviderIdentity: string) =>
    ratedAlone({ ...outside, applicationServiceProviderIdentity, sponsorIdentity: 'bolt-pays' });
  expect(pays('asp-any')).toMatchObject({ reason: 'evidence_conflict' });
  expect(pays('asp-cdr')).toMatchObject({ reason: 'sponsored' });
});

test('the earliest period is that of the records that are still to be rated', () => {
  const lane = testLane();
  const batch = new FlowBatch(4);
  const values = [
    testRecord({ localSequenceNumber: 1, ...at(Date.UTC(2026, 10, 12, 12)) }),
    testRecord({ localSequenceNumber: 2, ...at(Date.UTC(2026, 10, 10, 12)) }),
    testRecord({ localSequenceNumber: 3, ...at(Date.UTC(2026, 10, 11, 12)) }),
    // Covered by no plan: it opens no counter.
    testRecord({ localSequenceNumber: 4, contentType: 'voice', ...at(Date.UTC(2026, 10, 2, 12)) }),
  ];
  values.forEach((record, offset) => {
    admit(batch, [incoming(asValue(record), offset)], context, lane, rules);
  });
  expect(earliestPeriodStart(new FlowBatch(2), rules)).toBe(Number.POSITIVE_INFINITY);
  classifyBatch(batch, lane, rules);
  expect(earliestPeriodStart(batch, rules)).toBe(Date.UTC(2026, 10, 10) / DAY_MS);
  // A row after the last one belongs to no record.
  batch.periodStart[3] = 1;
  batch.reason[3] = batch.reason[0];
  batch.count = 3;
  expect(earliestPeriodStart(batch, rules)).toBe(Date.UTC(2026, 10, 10) / DAY_MS);
});

test('a row after the last one of a batch is not classified', () => {
  const lane = testLane();
  const batch = new FlowBatch(2);
  for (const number of [1, 2]) {
    const value = asValue(testRecord({ localSequenceNumber: number }));
    admit(batch, [incoming(value, number)], context, lane, rules);
  }
  batch.count = 1;
  classifyBatch(batch, lane, rules);
  rateBatch(batch, lane, rules);
  const { rated } = rateValues([asValue(testRecord({ localSequenceNumber: 2 }))], lane, rules);
  expect(rated[0].reason).toBe('sponsored');
});

test('a rejection in mid-batch says what was wrong, and its record is charged with nothing', () => {
  const lane = testLane();
  const [record, other] = [testRecord(), testRecord({ downlinkOctets: 999 })];
  const conflicting = rateValues([record, other].map(asValue), lane, rules);
  expect(conflicting.batch.rejections).toEqual([{ row: 1, detail: 'gw-1 1 was seen before with other content' }]);

  // Of application `tagged`, which has no quota.
  const tagged = { zeroRatingTag: 'TAG', remoteIp: '198.51.100.70', contentType: 'text' } as const;
  const many = Array.from({ length: 60 }, (_, n) =>
    testRecord({ ...tagged, localSequenceNumber: 10 + n, uplinkOctets: 2 ** 48 - 1, downlinkOctets: 2 ** 48 - 1 }),
  );
  const { batch, rated } = rateValues(many.map(asValue), testLane(), rules);
  const row = rated.findIndex(({ reason }) => reason === 'charge_out_of_range');
  expect(row).toBeGreaterThan(0);
  expect(rated[row]).toMatchObject({ outcome: 'rejected', sponsored: 0, charge: 0, used: 0 });
  expect(batch.rejections[0]).toEqual({
    row,
    detail: 'counter or charge above 2^53 - 1',
  });
});
