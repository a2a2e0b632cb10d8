import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { EVIDENCES, type FlowBatch, type FlowRecord } from '../../rating/flow-record.ts';
import type { Lane } from '../../rating/lane.ts';
import { failedAtIngress, type Outcome, REASONS, type Reason } from '../../rating/outcome.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { fingerprintOf } from '../../rating/record/fingerprint.ts';
import { NO_FACTS, Rules } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { asValue, closedFor, rateValues, testLane, testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { campaignFacts } from './drawn-campaigns.fixture.ts';
import {
  ADDRESSES,
  catalogues,
  IDENTITIES,
  INSTANTS,
  mostly,
  PLAN_IDS,
  TAGS,
  ZONES,
} from './drawn-catalogues.fixture.ts';
import { network } from './drawn-conditions.fixture.ts';
import { type SecondCharge, SecondComputation, type SecondOutcome, secondRules } from './second-computation.ts';

const HOUR_MS = 3_600_000;
const MSISDNS = ['999000000001', '1999'];
const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 3));

function computation(duplicateWindowRecords = 1000): SecondComputation {
  return new SecondComputation({ pseudonymKey: KEY, duplicateWindowRecords });
}

describe('computed by hand', () => {
  const rules = secondRules(testRules().catalogue.canonicalJson, NO_FACTS);

  /** Computes records of successive sequence numbers in one computation. */
  function computeAll(records: readonly Partial<FlowRecord>[], window?: number, ruled = rules): SecondOutcome[] {
    const computed = computation(window);
    return records.map((fields, i) =>
      computed.compute(i, testRecord({ localSequenceNumber: i, uplinkOctets: 0, ...fields }), ruled),
    );
  }

  test('share, quota and price of a day', () => {
    const outcomes = computeAll([
      { contentType: null, downlinkOctets: 1101 }, // 1101 x 0.5 = 550.5; 550 x 99.999999 / 2^20 = 0.052452
      { contentType: 'image', downlinkOctets: 1000 }, // 333.3 + 0.5; 883 cost 0.084209
      { contentType: 'video', downlinkOctets: 1000 }, // covered, with a share of 0
      { contentType: 'text', downlinkOctets: 5000 }, // (3000 x 99.999999 + 2883 x 12.5) / 2^20 = 0.320470
      { contentType: 'text', downlinkOctets: 20_000 }, // up to 20000: 0.488758
      { contentType: 'text', downlinkOctets: 1 },
    ]);
    const figures = outcomes.map(({ reason, charge }) => {
      const { sponsoredOctets, chargeMicros, usedOctetsAfter, carryAfter } = charge!;
      return [reason, sponsoredOctets, chargeMicros, usedOctetsAfter, carryAfter];
    });
    expect(figures).toEqual([
      ['sponsored', 550n, 52_452n, 550n, 5000n],
      ['sponsored', 333n, 31_757n, 883n, 8000n],
      ['sponsored', 0n, 0n, 883n, 8000n],
      ['sponsored', 5000n, 236_261n, 5883n, 8000n],
      ['quota_reached', 14_117n, 168_288n, 20_000n, 0n],
      ['quota_exhausted', 0n, 0n, 20_000n, 0n],
    ]);
    expect(outcomes[0]).toMatchObject({
      outcome: 'charged',
      applicationId: 'any',
      charge: { sponsorId: 'acme', applicationId: 'any', planId: 'any-day', planVersion: 1, periodStart: 20_767 },
    });
    expect(outcomes[0].charge?.subscriber).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a quota that is used to the octet is exhausted', () => {
    const outcomes = computeAll([19_999, 1, 1].map((downlinkOctets) => ({ contentType: 'text', downlinkOctets })));
    expect(outcomes.map(({ reason }) => reason)).toEqual(['sponsored', 'quota_reached', 'quota_exhausted']);
  });

  test('a suspended sponsor pays nothing, the others do', () => {
    const suspended = secondRules(testRules().catalogue.canonicalJson, {
      ...NO_FACTS,
      suspensions: { sponsorIds: new Set(['bolt']), number: 1 },
    });
    const outcomes = computeAll([{ remoteIp: '203.0.113.1' }, {}], 10, suspended);
    expect(outcomes.map(({ reason }) => reason)).toEqual(['sponsor_suspended', 'sponsored']);
  });

  test('a late record is refused and claims nothing, or is an adjustment, as the version in force says', () => {
    const closed = secondRules(testRules().catalogue.canonicalJson, { ...NO_FACTS, ...closedFor('acme', '2026-11') });
    const early = { localSequenceNumber: 7, startTime: Date.UTC(2026, 10, 19) };
    const later = { ...early, startTime: Date.UTC(2026, 10, 20) };
    const outcomes = computeAll([early, early, later, early, later], 10, closed);
    const reasons = outcomes.map(({ reason }) => reason);
    expect(reasons).toEqual(['period_closed', 'period_closed', 'sponsored', 'conflicting_duplicate', 'duplicate']);
    expect(outcomes[0]).toMatchObject({ outcome: 'rejected', applicationId: 'any', charge: null });
  });

  test('a version with a smaller quota takes nothing back, one with a larger quota continues', () => {
    const startTime = Date.UTC(2026, 10, 20, 1); // version 2, the Kathmandu day that version 1 ended in
    const outcomes = computeAll([
      { contentType: 'text', downlinkOctets: 9500, startTime: startTime - 2 * HOUR_MS },
      { contentType: 'text', downlinkOctets: 10, startTime },
      { contentType: null, downlinkOctets: 1001, startTime: startTime - 2 * HOUR_MS },
    ]);
    expect(outcomes.map(({ charge }) => [charge?.planVersion, charge?.usedOctetsAfter, charge?.carryAfter])).toEqual([
      [1, 9500n, 0n],
      [2, 9500n, 0n],
      [1, 10_000n, 5000n],
    ]);
    expect(outcomes[1].reason).toBe('quota_exhausted');
  });

  test('an identity is unknown again a window later; a duplicate does not claim it again', () => {
    const same = { localSequenceNumber: 7 };
    const records = [same, same, { ...same, chargingId: 2 }, same, same, {}, { ...same, chargingId: 2 }];
    const reasons = computeAll(records, 3).map(({ reason }) => reason);
    const again = ['sponsored', 'duplicate', 'conflicting_duplicate'];
    expect(reasons).toEqual([...again, 'sponsored', 'duplicate', 'sponsored', 'sponsored']);
  });

  test('a charge above the exact integers is not booked, and moves no counter', () => {
    const fields = { zeroRatingTag: 'TAG', remoteIp: '198.51.100.65', contentType: 'text' } as const;
    const most = { ...fields, uplinkOctets: 2 ** 48 - 1, downlinkOctets: 2 ** 48 - 1 };
    // 3.3 for a MiB: 2^53 micro-units are passed after 2.86 x 10^15 octets, the seventh time that 0.7777 x 2^49 are added.
    const outcomes = computeAll([most, most, most, most, most, most, most, { ...fields, downlinkOctets: 10 }]);
    expect(outcomes.slice(0, 6).map(({ reason }) => reason)).toEqual(Array(6).fill('sponsored'));
    const [sixth, seventh, eighth] = outcomes.slice(5);
    const { outcome, reason, applicationId, charge } = seventh;
    expect([outcome, reason, applicationId, charge]).toEqual(['rejected', 'charge_out_of_range', 'tagged', null]);
    expect(eighth.charge!.usedOctetsAfter - sixth.charge!.usedOctetsAfter).toBe(8n); // 7.777 and the carry before it
  });

  test('a record that failed validation keeps its reason', () => {
    expect(computation().compute(0, { reason: 'malformed', detail: 'no JSON' }, rules)).toEqual({
      outcome: 'rejected',
      reason: 'malformed',
      applicationId: '',
      charge: null,
    });
  });
});

const drawnRecord = fc
  .record({
    nodeId: fc.constantFrom('gw-1', 'gw-2', '1 gw-1'),
    // Few identities that meet one another, among many that do not.
    localSequenceNumber: fc.oneof(fc.nat({ max: 4 }), fc.maxSafeNat(), fc.maxSafeNat()),
    servedMsisdn: mostly(fc.constantFrom(...MSISDNS), fc.constant('no digits')),
    startTime: fc
      .tuple(
        fc.constantFrom(...INSTANTS),
        fc.constantFrom(-25 * HOUR_MS, -2 * HOUR_MS, -30_000, -1, 0, 1, HOUR_MS, 5 * HOUR_MS, 24 * HOUR_MS),
      )
      .map(([instant, later]) => Math.max(0, instant + later)),
    remoteIp: fc.constantFrom(...ADDRESSES),
    zeroRatingTag: fc.constantFrom(...Array(12).fill(null), ...TAGS, 'UNCLAIMED', ''),
    detectedApplication: fc.constantFrom(...Array(12).fill(null), 'chat', 'maps', 'unclaimed'),
    accountId: fc.constantFrom(null, 'B-17', 'B-17', 'B-18', '999000000001'),
    sponsorIdentity: fc.constantFrom(...Array(20).fill(null), ...IDENTITIES, 'unclaimed', ''),
    applicationServiceProviderIdentity: fc.constantFrom(...Array(20).fill(null), ...IDENTITIES, 'unclaimed', ''),
    contentType: mostly(fc.constantFrom(null, 'text', 'voice', 'image', 'video', 'other'), fc.constant('unknown')),
    uplinkOctets: mostly(fc.oneof(fc.constantFrom(0, 1000), fc.nat({ max: 3000 })), fc.constant(-1)),
    downlinkOctets: mostly(
      fc.oneof(
        { arbitrary: fc.nat({ max: 9000 }), weight: 4 },
        { arbitrary: fc.constantFrom(0, 1000, 2000), weight: 3 }, // so that a quota is met to the octet
        fc.nat({ max: 2 ** 31 - 1 }),
        fc.constantFrom(2 ** 44, 2 ** 48 - 1),
      ),
      fc.constant(2 ** 48),
    ),
  })
  .chain((fields) =>
    fc
      .tuple(fc.oneof(fc.constantFrom(0, 1, 1000, 90_000, 6 * HOUR_MS), fc.nat({ max: 3 * HOUR_MS })), network)
      .map(([durationMs, where]) =>
        testRecord({ ...fields, ...where, endTime: fields.startTime + durationMs } as Partial<FlowRecord>),
      ),
  );
/** Records in the order of arrival, some of them a duplicate of an earlier one. */
const traffic = fc
  .array(fc.tuple(drawnRecord, fc.oneof({ arbitrary: fc.constant(0), weight: 7 }, fc.integer({ min: 1, max: 12 }))), {
    minLength: 12,
    maxLength: 40,
  })
  .map((drawn) => {
    const records: FlowRecord[] = [];
    for (const [record, back] of drawn) records.push((back > 0 && records.at(-back)) || record);
    return records.map(asValue);
  });
/** The month of an irregular instant, so that records come on either side of its end, closed at about any of them. */
const closedMonth = fc
  .tuple(fc.constantFrom(...INSTANTS), fc.constantFrom(...INSTANTS, Number.POSITIVE_INFINITY))
  .map(([instant, endedByMs]) => {
    const month = Date.UTC(new Date(instant).getUTCFullYear(), new Date(instant).getUTCMonth()) / (24 * HOUR_MS);
    return { month, endedByMs };
  });
/** Batches of one lane, each with its own suspensions and closings and one of two catalogues. */
const lanes = fc.record({
  windowRecords: fc.integer({ min: 1, max: 30 }),
  catalogues: fc.tuple(catalogues, catalogues),
  batches: fc.array(
    fc.record({
      values: traffic,
      catalogue: fc.constantFrom(0, 0, 1),
      suspended: fc.constantFrom([], [], [], [], ['s0'], ['s1'], ['s0', 's1']),
      closed: fc.oneof(fc.constant({}), fc.dictionary(fc.constantFrom('s0', 's1'), closedMonth)),
      campaigns: campaignFacts(PLAN_IDS, INSTANTS, ZONES, MSISDNS, KEY),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

/** A computed outcome, without what it left of further quotas. */
type ChargedOutcome = Omit<SecondOutcome, 'charge'> & { charge: Omit<SecondCharge, 'limits'> | null };

function withoutLimits({ charge, ...ended }: SecondOutcome): ChargedOutcome {
  if (charge === null) return { ...ended, charge };
  const { limits: _, ...own } = charge;
  return { ...ended, charge: own };
}

function kindOfLimit(name: string): 'account' | 'group' | 'window' {
  if (name.endsWith(':account')) return 'account';
  return name.includes(':') ? 'window' : 'group';
}

/** Returns in which state each further quota's counter is left, by counter. */
function limitsAfter(outcomes: readonly SecondOutcome[]): Map<string, bigint> {
  const after = new Map<string, bigint>();
  for (const { charge } of outcomes) {
    for (const { holder, name, version, periodStart, usedOctetsAfter } of charge?.limits ?? []) {
      const counter = `${holder} ${name} ${periodStart}`;
      after.set(counter, usedOctetsAfter);
      after.set(`${counter} version`, BigInt(version));
    }
  }
  return after;
}

/** Returns the same of the engine's batch. */
function movesAfter({ quotaMoves }: FlowBatch, lane: Lane, { catalogue }: Rules): Map<string, bigint> {
  const after = new Map<string, bigint>();
  for (let at = 0; at < quotaMoves.count; at++) {
    const { planId, periodStart } = lane.planPeriods.at(lane.counters.planPeriod(quotaMoves.counter[at]));
    const holder = lane.counters.subscriber(quotaMoves.counter[at]);
    const pseudonym = Buffer.from(lane.subscribers.pseudonym(holder)).toString('hex');
    const counter = `${pseudonym} ${planId} ${periodStart}`;
    after.set(counter, BigInt(quotaMoves.usedOctets[at]));
    after.set(`${counter} version`, BigInt(catalogue.furtherQuotas[quotaMoves.quota[at]].version));
  }
  return after;
}

/** Returns the engine's outcomes of a batch, in the form of the second computation. */
function engineOutcomes(
  values: readonly Uint8Array[],
  lane: Lane,
  rules: Rules,
): { batch: FlowBatch; engine: ChargedOutcome[] } {
  const { sponsors, applications, plans } = rules.catalogue;
  const { batch, rated } = rateValues(values, lane, rules);
  const engine = rated.map((row, i) => {
    const application = applications[row.application];
    const reason = REASONS[batch.reason[i]].reason;
    const ended = { outcome: row.outcome as Outcome, reason, applicationId: application?.id ?? '' };
    if (row.outcome !== 'charged') return { ...ended, charge: null };
    const { id: planId, version: planVersion } = plans[row.plan];
    const charge = {
      subscriber: Buffer.from(lane.subscribers.pseudonym(batch.subscriber[i])).toString('hex'),
      sponsorId: sponsors[application.sponsor].id,
      applicationId: application.id,
      planId,
      planVersion,
      periodStart: row.periodStart,
      evidence: EVIDENCES[batch.evidence[i]],
      sponsoredOctets: BigInt(row.sponsored),
      chargeMicros: BigInt(row.charge),
      usedOctetsAfter: BigInt(row.used),
      carryAfter: BigInt(row.carry),
    };
    return { ...ended, charge };
  });
  return { batch, engine };
}

const readValue = (value: Uint8Array) => readRecord({ value, oversizedOctets: 0 }, decodeJson);

test('the engine and the second computation agree on every record', () => {
  const met = new Map<Reason, number>();
  const counted = new Set<string>();
  fc.assert(
    fc.property(lanes, ({ windowRecords, catalogues, batches }) => {
      const lane = testLane(windowRecords);
      const computed = computation(windowRecords);
      for (const { values, catalogue, suspended, closed, campaigns } of batches) {
        const facts = {
          campaigns,
          suspensions: { sponsorIds: new Set<string>(suspended), number: 1 },
          closings: { lastClosed: new Map(Object.entries(closed)), number: 1 },
        };
        const { position } = lane;
        const ruled = new Rules(catalogues[catalogue], facts);
        const { batch, engine } = engineOutcomes(values, lane, ruled);
        const rules = secondRules(catalogues[catalogue].canonicalJson, facts);
        const second = values.map((value, i) => computed.compute(position + i, readValue(value), rules));
        expect(second.map(withoutLimits)).toEqual(engine);
        expect(movesAfter(batch, lane, ruled)).toEqual(limitsAfter(second));
        for (const { reason } of second) met.set(reason, (met.get(reason) ?? 0) + 1);
        for (const { charge } of second) for (const { name } of charge?.limits ?? []) counted.add(kindOfLimit(name));
      }
    }),
    { numRuns: 300 },
  );
  // Detections are drawn in drawn-evidence.test.ts.
  const drawn = REASONS.filter(({ reason }, code) => !failedAtIngress(code) && !reason.startsWith('detect'));
  const unmet = drawn.filter(({ reason }) => !met.has(reason));
  expect(unmet, 'reasons that the drawn traffic should have').toEqual([]);
  expect([...counted].sort(), 'limits that the drawn traffic should count in').toEqual(['account', 'group', 'window']);
}, 60_000);

test('restored counters and identities continue without a difference', () => {
  fc.assert(
    fc.property(traffic, traffic, fc.integer({ min: 1, max: 30 }), catalogues, (before, after, window, catalogue) => {
      const rules = secondRules(catalogue.canonicalJson, NO_FACTS);
      const [whole, restored] = [computation(window), computation(window)];
      before.map(readValue).forEach((record, ordinal) => {
        const { reason, charge } = whole.compute(ordinal, record, rules);
        if (charge !== null) {
          const { usedOctetsAfter, carryAfter, limits, ...counter } = charge;
          restored.restoreCounter({ ...counter, usedOctets: Number(usedOctetsAfter), carry: Number(carryAfter) });
          for (const { holder, name, periodStart, usedOctetsAfter: used } of limits) {
            const limit = { subscriber: holder, planId: name, periodStart };
            restored.restoreCounter({ ...limit, usedOctets: Number(used), carry: 0 });
          }
        }
        if ('reason' in record || reason === 'duplicate' || reason === 'conflicting_duplicate') return;
        const { nodeId, localSequenceNumber: sequence } = record;
        restored.restoreIdentity({ ordinal, nodeId, sequence, fingerprint: fingerprintOf(record) });
      });
      after.map(readValue).forEach((record, i) => {
        const ordinal = before.length + i;
        expect(restored.compute(ordinal, record, rules)).toEqual(whole.compute(ordinal, record, rules));
      });
    }),
  );
}, 60_000);
