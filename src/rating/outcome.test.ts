import { describe, expect, test } from 'vitest';
import { decodeJson } from './decode/decode-json.ts';
import { FlowBatch, type FlowRecord } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { isCharged, outcomeOf, REASONS, type Reason } from './outcome.ts';
import { admit, classifyBatch, rateBatch } from './pipeline.ts';
import { PLAIN_RULES } from './record/record-limits.ts';
import type { Rules } from './rules.ts';
import { asValue, closedFor, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

type Fields = Partial<Record<keyof FlowRecord, unknown>>;

/**
 * One guilt for each reason, in the order of REASONS. A record that is guilty of several has the first one's reason.
 * `before` is a record of the same identity that came earlier.
 */
const GUILTS: { reason: Reason; fields: Fields; before?: Fields }[] = [
  { reason: 'missing_field', fields: { chargingId: undefined } },
  { reason: 'invalid_field', fields: { remotePort: 65536 } },
  { reason: 'invalid_msisdn', fields: { servedMsisdn: '+49170' } },
  { reason: 'time_out_of_range', fields: { startTime: -1 } },
  { reason: 'end_before_start', fields: { endTime: Date.UTC(2001, 0) } },
  { reason: 'invalid_ip', fields: { terminalIp: '10.0.0.256' } },
  { reason: 'unknown_content_type', fields: { contentType: 'unknown' } },
  { reason: 'negative_octets', fields: { uplinkOctets: -1 } },
  { reason: 'octets_out_of_range', fields: { downlinkOctets: 2 ** 48 } },
  { reason: 'conflicting_duplicate', fields: {}, before: { remotePort: 80 } },
  { reason: 'duplicate', fields: {}, before: {} },
  { reason: 'detected_only', fields: { remoteIp: '8.8.8.8', detectedApplication: 'seen' } },
  { reason: 'no_evidence', fields: { remoteIp: '8.8.8.8' } },
  { reason: 'unknown_tag', fields: { remoteIp: '8.8.8.8', zeroRatingTag: 'UNCLAIMED' } },
  { reason: 'unknown_identity', fields: { remoteIp: '8.8.8.8', sponsorIdentity: 'unclaimed' } },
  { reason: 'evidence_conflict', fields: { zeroRatingTag: 'BOTH' } },
  { reason: 'tag_missing', fields: { remoteIp: '192.0.2.1' } },
  { reason: 'identity_missing', fields: { remoteIp: '192.0.2.65' } },
  { reason: 'detection_missing', fields: { remoteIp: '192.0.2.129' } },
  { reason: 'prefix_missing', fields: { remoteIp: '8.8.8.8', zeroRatingTag: 'IP' } },
  { reason: 'no_plan', fields: { startTime: Date.UTC(2025, 0) } },
  { reason: 'content_not_covered', fields: { contentType: 'other' } },
  { reason: 'period_closed', fields: { startTime: Date.UTC(2026, 8, 10) } },
  { reason: 'quota_reached', fields: { contentType: 'text', uplinkOctets: 20_000 } },
  { reason: 'sponsored', fields: {} },
];

const SEPTEMBER_CLOSED = closedFor('acme', '2026-09');

function reasonOf(guilts: readonly (typeof GUILTS)[number][]): string {
  const fields = Object.assign({}, ...guilts.map((guilt) => guilt.fields));
  const earlier = guilts.find(({ before }) => before !== undefined)?.before;
  const record = { ...testRecord(), ...fields };
  const values = [...(earlier === undefined ? [] : [{ ...record, ...earlier }]), record].map(asValue);
  return rateValues(values, testLane(), testRules(SEPTEMBER_CLOSED)).rated.at(-1)?.reason ?? '';
}

describe('the first reason that applies is the record’s', () => {
  test.each(GUILTS)('$reason', (guilt) => {
    expect(reasonOf([guilt])).toBe(guilt.reason);
  });

  const atIngress = GUILTS.slice(
    0,
    GUILTS.findIndex(({ reason }) => reason === 'conflicting_duplicate'),
  );
  const pairs = atIngress.flatMap((first, at) => GUILTS.slice(at + 1).map((second) => ({ first, second })));
  // The same field cannot be wrong in two ways.
  const possible = pairs.filter(({ first, second }) =>
    Object.keys(first.fields).every((name) => !(name in second.fields)),
  );
  test.each(possible)('$first.reason before $second.reason', ({ first, second }) => {
    expect(reasonOf([first, second])).toBe(first.reason);
  });

  test.each(
    GUILTS.filter(({ reason }) => ['no_evidence', 'evidence_conflict', 'tag_missing', 'no_plan'].includes(reason)),
  )('a duplicate before $reason', (guilt) => {
    const value = asValue({ ...testRecord(), ...guilt.fields });
    const { rated } = rateValues([value, value], testLane(), testRules());
    expect(rated.map(({ reason }) => reason)).toEqual([guilt.reason, 'duplicate']);
  });

  test('a suspended sponsor before plan and content', () => {
    const rules = testRules({ suspensions: { sponsorIds: new Set(['acme']), number: 4 } });
    const values = [{}, { startTime: Date.UTC(2025, 0) }, { contentType: 'other' }, { remoteIp: '203.0.113.1' }].map(
      (fields, at) => asValue({ ...testRecord(), localSequenceNumber: at, ...fields }),
    );
    const reasons = rateValues(values, testLane(), rules).rated.map(({ reason }) => reason);
    expect(reasons).toEqual(['sponsor_suspended', 'sponsor_suspended', 'sponsor_suspended', 'sponsored']);
  });

  test('a record that was cut for its size before anything that it says', () => {
    const [batch, lane, rules] = [new FlowBatch(3), testLane(), testRules()];
    const unknownSchema = { reason: 'unknown_schema', detail: 'schema 7' } as const;
    const checks = [decodeJson, decodeJson, () => ({ fault: unknownSchema })];
    const values = [Buffer.from('{"nodeId": '), asValue(testRecord()), asValue(testRecord())];
    values.forEach((value, offset) => {
      admit(
        batch,
        [incoming(value, offset, offset < 2 ? 5000 : 0)],
        { decode: checks[offset], keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 },
        lane,
        rules,
      );
    });
    classifyBatch(batch, lane, rules);
    rateBatch(batch, lane, rules);
    const reasons = Array.from(batch.reason, (code) => REASONS[code].reason);
    expect(reasons).toEqual(['oversized_record', 'oversized_record', 'unknown_schema']);
  });

  test('a closed period after all that is not sponsored', () => {
    const late = { startTime: Date.UTC(2026, 8, 10) };
    const before = ['no_evidence', 'unknown_tag', 'evidence_conflict', 'tag_missing', 'content_not_covered'];
    for (const guilt of GUILTS.filter(({ reason }) => before.includes(reason))) {
      expect(reasonOf([guilt, { reason: 'period_closed', fields: late }])).toBe(guilt.reason);
    }
    const suspensions = { sponsorIds: new Set(['acme']), number: 1 };
    const { rated } = rateValues(
      [asValue(testRecord(late))],
      testLane(),
      testRules({ ...SEPTEMBER_CLOSED, suspensions }),
    );
    expect(rated[0].reason).toBe('sponsor_suspended');
  });

  test('a duplicate of what was booked before the month was closed is a duplicate, and a conflict a conflict', () => {
    const lane = testLane();
    const late = testRecord({ startTime: Date.UTC(2026, 8, 10) });
    expect(rateValues([asValue(late)], lane, testRules()).rated[0].reason).toBe('sponsored');
    const again = [late, { ...late, remotePort: 80 }].map(asValue);
    const { rated } = rateValues(again, lane, testRules(SEPTEMBER_CLOSED));
    expect(rated.map(({ reason }) => reason)).toEqual(['duplicate', 'conflicting_duplicate']);
  });

  test('a closed period before a quota that is used up, and before a sum that leaves the exact integers', () => {
    const startTime = Date.UTC(2026, 8, 10);
    const most = { uplinkOctets: 2 ** 48 - 1, downlinkOctets: 2 ** 48 - 1, contentType: 'text', startTime } as const;
    for (const [fields, last] of [
      [{}, 'quota_exhausted'],
      [{ zeroRatingTag: 'TAG', remoteIp: '8.8.8.8' }, 'charge_out_of_range'],
    ] as const) {
      const lane = testLane();
      const value = (at: number) => asValue(testRecord({ ...most, ...fields, localSequenceNumber: at }));
      const reasons = (values: Buffer[], rules: Rules) =>
        rateValues(values, lane, rules).rated.map(({ reason }) => reason);
      expect(
        reasons(
          Array.from({ length: 30 }, (_, at) => value(at)),
          testRules(),
        ).at(-1),
      ).toBe(last);
      expect(reasons([value(30)], testRules(SEPTEMBER_CLOSED))).toEqual(['period_closed']);
    }
  });

  test('what is wrong with the evidence before a suspended sponsor', () => {
    const rules = testRules({ suspensions: { sponsorIds: new Set(['acme', 'bolt']), number: 1 } });
    const evidence = [
      'detected_only',
      'no_evidence',
      'unknown_tag',
      'unknown_identity',
      'evidence_conflict',
      'tag_missing',
      'identity_missing',
      'detection_missing',
      'prefix_missing',
    ];
    for (const { reason, fields } of GUILTS.filter((guilt) => evidence.includes(guilt.reason))) {
      const value = asValue({ ...testRecord(), ...fields });
      expect(rateValues([value], testLane(), rules).rated[0].reason).toBe(reason);
    }
  });

  test('bytes that are no record', () => {
    const { rated, batch } = rateValues([Buffer.from('{"nodeId": ')], testLane(), testRules());
    expect(rated[0]).toMatchObject({ outcome: 'rejected', reason: 'malformed' });
    expect(batch.rejections).toHaveLength(1);
  });

  test('an exhausted quota, and a sum that leaves the exact integers', () => {
    const text = (localSequenceNumber: number, octets: number) =>
      asValue(testRecord({ localSequenceNumber, contentType: 'text', uplinkOctets: octets }));
    const lane = testLane();
    expect(rateValues([text(1, 19_000), text(2, 1)], lane, testRules()).rated.map(({ reason }) => reason)).toEqual([
      'quota_reached',
      'quota_exhausted',
    ]);
    const unlimited = (localSequenceNumber: number) =>
      asValue(
        testRecord({
          localSequenceNumber,
          zeroRatingTag: 'TAG',
          remoteIp: '8.8.8.8',
          contentType: 'text',
          uplinkOctets: 2 ** 48 - 1,
          downlinkOctets: 2 ** 48 - 1,
        }),
      );
    const { rated } = rateValues(
      Array.from({ length: 60 }, (_, at) => unlimited(at)),
      testLane(),
      testRules(),
    );
    const firstOut = rated.findIndex(({ reason }) => reason === 'charge_out_of_range');
    expect(firstOut).toBeGreaterThan(0);
    // The counter is left alone: the record after it meets the one before it.
    expect(rated[firstOut - 1].used).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
    expect(rated.slice(firstOut).every(({ outcome, sponsored }) => outcome === 'rejected' && sponsored === 0)).toBe(
      true,
    );
  });

  test('the tables above and below know every reason', () => {
    const elsewhere = [
      'oversized_record',
      'malformed',
      'unknown_schema',
      'incompatible_schema',
      'sponsor_suspended',
      // Campaigns: campaigns.test.ts
      'campaign_paused',
      'campaign_unfunded',
      'cap_reached',
      'not_in_audience',
      // Their plans have conditions: plan-conditions.test.ts.
      'conditions_not_met',
      'partly_in_hours',
      'charge_out_of_range',
      'quota_exhausted',
    ];
    const documented = [...GUILTS.map(({ reason }) => reason), ...elsewhere].sort();
    expect(documented).toEqual(REASONS.map(({ reason }) => reason).sort());
  });
});

test('the charged reasons come last', () => {
  for (const code of REASONS.keys()) expect(isCharged(code)).toBe(outcomeOf(code) === 'charged');
});
