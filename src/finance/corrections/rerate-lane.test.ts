import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planAt } from '../../assurance/audit/second-plan.fixture.ts';
import { firstDayOfPeriod, priceOf, type SecondPlan, secondRules } from '../../assurance/audit/second-rules.ts';
import { CONTENT_TYPES, type FlowRecord } from '../../rating/flow-record.ts';
import { isCharged, REASON_CODE, type Reason } from '../../rating/outcome.ts';
import { NO_FACTS, type Rules } from '../../rating/rules.ts';
import { TEST_CATALOGUE, testRecord } from '../../rating/traffic.fixture.ts';
import { type ChargeRow, changedCatalogue, chargeRows, rerateRows, rulesOf } from './rating.fixture.ts';

const OLD = rulesOf(TEST_CATALOGUE);
const CATALOGUES: readonly Rules[] = [
  changedCatalogue(['"12.5"', '"9.000001"'], ['"3.3"', '"0"']),
  changedCatalogue(
    ['image: 3333', 'image: 9999'],
    ['text: 7777', 'text: 1'],
    ['unknown: 10000, text', 'unknown: 4, text'],
  ),
  changedCatalogue(['quotaOctets: 20000', 'quotaOctets: 4000'], ['quotaOctets: 50001', 'quotaOctets: null']),
  changedCatalogue(['2026-11-20T00:00:00Z', '2026-11-10T06:00:00Z']),
  changedCatalogue(['id: any-day', 'id: any-flat'], ['version: 2', 'version: 7']),
  changedCatalogue(
    ['period: day', 'period: month'],
    ['period: week', 'period: day'],
    ['timeZone: UTC', 'timeZone: Asia/Tokyo'],
  ),
  changedCatalogue(['effectiveTo: null\n    period: week', 'effectiveTo: 2026-11-10T00:00:00Z\n    period: week']),
  changedCatalogue(['text: 10000, image: 3333, video: 0, ', 'video: 10000, ']),
].map(rulesOf);

const record = fc
  .record({
    who: fc.integer({ min: 0, max: 2 }),
    hour: fc.integer({ min: 0, max: 24 * 40 }),
    to: fc.constantFrom<Partial<FlowRecord>>(
      { remoteIp: '198.51.100.7' },
      { remoteIp: '8.8.8.8', zeroRatingTag: 'TAG' },
      { remoteIp: '203.0.113.9' },
    ),
    contentType: fc.constantFrom(...CONTENT_TYPES.filter((type) => type !== 'unknown'), null),
    uplinkOctets: fc.integer({ min: 0, max: 5000 }),
    downlinkOctets: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 2 ** 40 })),
  })
  .map(({ who, hour, to, ...usage }) => {
    const startTime = Date.UTC(2026, 9, 20) + hour * 3_600_000;
    return testRecord({ ...to, ...usage, servedMsisdn: `99900000000${who}`, startTime, endTime: startTime });
  });
const traffic = fc
  .array(record, { maxLength: 60 })
  .map((records) => records.map((of, localSequenceNumber) => ({ ...of, localSequenceNumber })));
const catalogue = fc.constantFrom(...CATALOGUES);
const atOnce = fc.integer({ min: 1, max: 20 });

test('re-rated rows equal a second computation in big integers, in chunks of any size', () => {
  fc.assert(
    fc.property(traffic, catalogue, atOnce, (records, rules, count) => {
      const rows = chargeRows(records, OLD);
      expect(rerateRows(rows, rules, undefined, count).rows).toEqual(secondComputation(rows, rules));
    }),
    { numRuns: 300 },
  );
});

test('hours follow from the times of a row: it is rated as an engine with the new catalogue rates its record', () => {
  const hours =
    '{ hours: [{ from: "08:00", to: "08:20" }, { from: "10:00", to: "10:50" }, { from: "12:00", to: "20:10" }, { days: [tuesday, sunday], from: "22:00", to: "05:15" }] }';
  const rules = rulesOf(
    changedCatalogue(
      ['quotaOctets: 9000', `quotaOctets: 9000\n    conditions: ${hours}`],
      ['quotaOctets: 20000', `quotaOctets: null\n    conditions: ${hours}`],
    ),
  );
  let partly = 0;
  fc.assert(
    fc.property(traffic, fc.integer({ min: 1, max: 7_200_000 }), (drawn, durationMs) => {
      const records = drawn.map((of) => ({ ...of, endTime: of.startTime + durationMs }));
      const rows = chargeRows(records, OLD);
      const rerated = rerateRows(rows, rules).rows.filter(({ reason }) => isCharged(reason));
      const charged = new Set(rows.map(({ record: { localSequenceNumber } }) => localSequenceNumber));
      expect(rerated).toEqual(
        chargeRows(
          records.filter((each) => charged.has(each.localSequenceNumber)),
          rules,
        ),
      );
      partly += rerated.filter(({ reason }) => reason === REASON_CODE.partly_in_hours).length;
    }),
  );
  expect(partly).toBeGreaterThan(5);
});

test('forward and back returns every row, also by a detour', () => {
  fc.assert(
    fc.property(traffic, catalogue, catalogue, (records, there, detour) => {
      const rows = chargeRows(records, OLD);
      const forward = rerateRows(rerateRows(rows, there).rows, detour).rows;
      expect(rerateRows(forward, OLD).rows).toEqual(rows);
    }),
  );
});

test('with the same catalogue nothing changes, nor does a second time', () => {
  fc.assert(
    fc.property(traffic, catalogue, (records, rules) => {
      const rows = chargeRows(records, OLD);
      expect(rerateRows(rows, OLD).changed).toBe(0);
      expect(rerateRows(rerateRows(rows, rules).rows, rules).changed).toBe(0);
    }),
  );
});

describe('a record that the catalogue does not charge', () => {
  const [row] = chargeRows([testRecord({ contentType: 'text' })], OLD);
  const left = { sponsoredOctets: 0, chargeMicros: 0, usedOctetsAfter: 0, carryAfter: 0 };

  test.each<[string, Rules, Partial<ChargeRow>]>([
    [
      'no plan is in force',
      rulesOf(
        changedCatalogue(
          ['2026-01-01T00:00:00Z', '2026-11-20T00:00:00Z'],
          ['effectiveTo: 2026-11-20T00:00:00Z', 'effectiveTo: 2026-11-20T00:00:01Z'],
          [
            'version: 2\n    effectiveFrom: 2026-11-20T00:00:00Z',
            'version: 2\n    effectiveFrom: 2026-11-20T00:00:01Z',
          ],
        ),
      ),
      { planId: '', planVersion: 0, reason: REASON_CODE.no_plan },
    ],
    [
      'the application is not in it',
      rulesOf(changedCatalogue(['id: any,', 'id: other,'], ['application: any\n', 'application: other\n'])),
      { planId: '', planVersion: 0, reason: REASON_CODE.no_plan },
    ],
    [
      'the content is not covered',
      rulesOf(changedCatalogue(['text: 10000, image', 'image'])),
      { reason: REASON_CODE.content_not_covered },
    ],
  ])('%s: all of its octets are the subscriber’s, and its period stays', (_, rules, expected) => {
    expect(rerateRows([row], rules)).toMatchObject({ rows: [{ ...row, ...left, ...expected }], changed: 1 });
  });

  test('its charge would leave the exact integers: the counter stays, and the next record is rated', () => {
    const huge = 2 ** 48 - 1;
    const of = (localSequenceNumber: number, downlinkOctets: number) =>
      testRecord({
        localSequenceNumber,
        uplinkOctets: 0,
        downlinkOctets,
        zeroRatingTag: 'TAG',
        contentType: 'text',
        remoteIp: '8.8.8.8',
      });
    const rows = chargeRows([of(1, 1000), of(2, huge), of(3, 1000)], OLD);
    const rules = rulesOf(changedCatalogue(['"3.3"', '"4000"']));
    const { rows: rerated } = rerateRows(rows, rules);
    expect(rerated[1]).toMatchObject({ ...left, reason: REASON_CODE.charge_out_of_range });
    expect(rerated[2].usedOctetsAfter).toBe(1555);
  });
});

describe('a range', () => {
  const day = (text: string) => Date.parse(text) / 86_400_000;
  const at = (time: string, localSequenceNumber: number) =>
    testRecord({ startTime: Date.parse(time), endTime: Date.parse(time), localSequenceNumber, contentType: 'text' });
  // Midnight in Kathmandu is 18:15 UTC.
  const rows = chargeRows(
    [at('2026-10-31T18:00:00Z', 1), at('2026-10-31T18:30:00Z', 2), at('2026-11-02T12:00:00Z', 3)],
    OLD,
  );
  const november = { fromDay: day('2026-11-01'), toDay: day('2026-12-01') };

  test('re-rates the periods that begin in it, and leaves the others unchanged', () => {
    const { rows: rerated, lane } = rerateRows(rows, CATALOGUES[0], november);
    expect(rerated.map(({ record: { localSequenceNumber } }) => localSequenceNumber)).toEqual([2, 3]);
    expect(lane.tornPeriods()).toEqual([]);
  });

  test('may hold whole periods of another length', () => {
    const monthly = rulesOf(changedCatalogue(['period: day', 'period: month']));
    const { rows: rerated, lane } = rerateRows(rows, monthly, november);
    expect(rerated.map(({ periodStart }) => periodStart)).toEqual([november.fromDay, november.fromDay]);
    expect(lane.tornPeriods()).toEqual([]);
  });

  test.each([
    [
      'a period that begins before it',
      'month',
      'Asia/Kathmandu',
      { ...november, fromDay: day('2026-11-02') },
      '2026-11-01',
    ],
    [
      'a period that other records count in too',
      'month',
      'Asia/Kathmandu',
      { ...november, toDay: day('2026-11-02') },
      '2026-11-01',
    ],
    ['a day of another time zone', 'day', 'UTC', november, '2026-10-31'],
  ])('tears %s', (_, period, timeZone, range, torn) => {
    const rules = rulesOf(changedCatalogue(['period: day', `period: ${period}`], ['Asia/Kathmandu', timeZone]));
    expect(rerateRows(rows, rules, range).lane.tornPeriods()[0]).toEqual({ planId: 'any-day', periodStart: day(torn) });
  });
});

/** Returns content, share, quota and price in big integers, by the catalogue's document. */
function secondComputation(rows: readonly ChargeRow[], { catalogue: { canonicalJson } }: Rules): ChargeRow[] {
  const rules = secondRules(canonicalJson, NO_FACTS);
  const counters = new Map<string, { used: bigint; carry: bigint }>();
  const none = { planId: '', planVersion: 0, sponsoredOctets: 0, chargeMicros: 0, usedOctetsAfter: 0, carryAfter: 0 };
  return rows.map((row) => {
    const { record: of, contentType } = row;
    const plan = planAt(rules, row.applicationId, of.startTime);
    if (plan === undefined) return { ...row, ...none, reason: REASON_CODE.no_plan };
    const named = { planId: plan.document.id, planVersion: plan.document.version };
    const share = plan.document.content[CONTENT_TYPES[contentType]];
    if (share === undefined) return { ...row, ...none, ...named, reason: REASON_CODE.content_not_covered };
    const periodStart = firstDayOfPeriod(rules, plan.document, of.startTime);
    const key = `${named.planId} ${periodStart} ${of.servedMsisdn}`;
    const before = counters.get(key) ?? { used: 0n, carry: 0n };
    const { reason, sponsored, ...after } = secondShare(
      plan,
      before,
      BigInt(of.uplinkOctets + of.downlinkOctets),
      BigInt(share),
    );
    counters.set(key, after);
    return {
      ...row,
      ...named,
      periodStart,
      reason: REASON_CODE[reason],
      sponsoredOctets: Number(sponsored),
      chargeMicros: Number(priceOf(plan, after.used) - priceOf(plan, before.used)),
      usedOctetsAfter: Number(after.used),
      carryAfter: Number(after.carry),
    };
  });
}

function secondShare(
  { quotaOctets }: SecondPlan,
  { used, carry }: { used: bigint; carry: bigint },
  octets: bigint,
  share: bigint,
): { reason: Reason; sponsored: bigint; used: bigint; carry: bigint } {
  if (quotaOctets !== null && used >= quotaOctets) return { reason: 'quota_exhausted', sponsored: 0n, used, carry };
  const x = octets * share + carry;
  const sponsored = x / 10_000n;
  if (quotaOctets !== null && used + sponsored >= quotaOctets) {
    return { reason: 'quota_reached', sponsored: quotaOctets - used, used: quotaOctets, carry: 0n };
  }
  return { reason: 'sponsored', sponsored, used: used + sponsored, carry: x % 10_000n };
}

describe('further quotas', () => {
  const GROUP = `quotas:
  - id: bolt-week
    sponsor: bolt
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: Asia/Tokyo
    quotaOctets: 9000
    plans: [in-cdr-month, by-ip-month]
`;
  const window = 'windows: [{ period: month, quotaOctets: 30000 }]';
  const further = rulesOf(`${changedCatalogue(['period: day', `period: day\n    ${window}`])}${GROUP}`);

  test('a re-rated record gets what the engine would have booked with them', () => {
    fc.assert(
      fc.property(traffic, atOnce, (records, count) => {
        const { rows } = rerateRows(chargeRows(records, OLD), further, undefined, count);
        expect(rows).toEqual(chargeRows(records, further));
      }),
      { numRuns: 200 },
    );
  });

  test('a range that holds a part of a period of theirs is torn', () => {
    const [first, second] = [10, 12].map((day) => Date.UTC(2026, 10, day, 12));
    const records = [first, second].map((startTime, localSequenceNumber) =>
      testRecord({ localSequenceNumber, startTime, endTime: startTime }),
    );
    const rows = chargeRows(records, OLD);
    const [fromDay, toDay] = [10, 11].map((day) => Date.UTC(2026, 10, day) / 86_400_000);
    expect(rerateRows(rows, OLD, { fromDay, toDay }).lane.tornPeriods()).toEqual([]);
    const torn = rerateRows(rows, further, { fromDay, toDay }).lane.tornPeriods();
    expect(torn).toEqual([{ planId: 'any-day:month', periodStart: Date.UTC(2026, 10, 1) / 86_400_000 }]);
    const whole = { fromDay: Date.UTC(2026, 10, 1) / 86_400_000, toDay };
    expect(rerateRows(rows, further, whole).lane.tornPeriods()).toEqual(torn);
  });
});
