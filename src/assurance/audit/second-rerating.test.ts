import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChargeRow, chargeRows, type NamedCharge, rerateRows } from '../../finance/corrections/rating.fixture.ts';
import { type BookedRecord, bookedRecords, ratedAgain } from '../../finance/corrections/read-again.fixture.ts';
import { catalogueFromCanonicalJson } from '../../rating/catalogue/catalogue-compile.ts';
import { EVIDENCES, type FlowRecord, NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import { REASONS } from '../../rating/outcome.ts';
import { type Facts, NO_FACTS, Rules } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import type { BookedCharge } from './correction-steps.ts';
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
import { SecondPseudonyms } from './second-counting.ts';
import { SecondRerating } from './second-rerating.ts';
import { secondRules } from './second-rules.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 3));
const MSISDNS = ['999000000000', '999000000001', '999000000002'];
const EVERYTHING = { fromDay: 0, toDay: 65_535 };

const record = fc
  .tuple(
    fc.record({
      servedMsisdn: fc.constantFrom(...MSISDNS),
      startTime: mostly(fc.constantFrom(...INSTANTS), fc.integer({ min: Date.UTC(2000), max: Date.UTC(2100) })),
      remoteIp: fc.constantFrom(...ADDRESSES),
      zeroRatingTag: fc.constantFrom(null, null, null, ...TAGS),
      accountId: fc.constantFrom(null, 'B-17', 'B-17', 'B-18', MSISDNS[0]),
      sponsorIdentity: fc.constantFrom(null, null, null, null, ...IDENTITIES),
      contentType: fc.constantFrom(null, 'text', 'voice', 'image', 'video', 'other'),
      uplinkOctets: mostly(fc.integer({ min: 0, max: 5000 }), fc.constant(-1)),
      downlinkOctets: mostly(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 2 ** 47 })),
    }),
    fc.constantFrom(0, 1, 90_000, HOUR_MS, 6 * HOUR_MS),
    network,
  )
  .map(([fields, durationMs, where]) => ({ ...fields, ...where, endTime: fields.startTime + durationMs }));
/** Some of them repeat the one before. */
const traffic = fc
  .array(fc.tuple(record, fc.constantFrom(false, false, false, true)), { minLength: 20, maxLength: 60 })
  .map((drawn) => {
    const records: FlowRecord[] = [];
    for (const [fields, isRepeated] of drawn) {
      const own = testRecord({ ...(fields as Partial<FlowRecord>), localSequenceNumber: records.length });
      records.push((isRepeated && records.at(-1)) || own);
    }
    return records;
  });
const closedMonth = fc.constantFrom(...INSTANTS).map((instant) => ({
  month: Date.UTC(new Date(instant).getUTCFullYear(), new Date(instant).getUTCMonth()) / DAY_MS,
  endedByMs: Number.POSITIVE_INFINITY,
}));
const facts: fc.Arbitrary<Facts> = fc
  .record({
    suspended: fc.constantFrom([], [], [], ['s0'], ['s1']),
    closed: fc.oneof(fc.constant({}), fc.dictionary(fc.constantFrom('s0', 's1'), closedMonth)),
    campaigns: campaignFacts(PLAN_IDS, INSTANTS, ZONES, MSISDNS, KEY),
  })
  .map(({ suspended, closed, campaigns }) => ({
    suspensions: { sponsorIds: new Set<string>(suspended), number: 1 },
    closings: { lastClosed: new Map(Object.entries(closed)), number: 1 },
    campaigns,
  }));
/** Periods from one of the instants on, or all. */
const range = fc.oneof(
  fc.constant(EVERYTHING),
  fc.constantFrom(...INSTANTS).map((instant) => ({ fromDay: Math.floor(instant / DAY_MS) - 40, toDay: 65_535 })),
);

function bookedCharge(charge: NamedCharge, sponsorId: string, of: FlowRecord, subscriber: string): BookedCharge {
  const octets = BigInt(of.uplinkOctets) + BigInt(of.downlinkOctets);
  return {
    sponsorId,
    currency: 'EUR',
    applicationId: charge.applicationId,
    subscriber,
    evidence: EVIDENCES[charge.evidence],
    contentType: of.contentType ?? 'unknown',
    startTime: of.startTime,
    planId: charge.planId,
    planVersion: charge.planVersion,
    periodStart: charge.periodStart,
    reason: REASONS[charge.reason].reason,
    sponsoredOctets: BigInt(charge.sponsoredOctets),
    subscriberOctets: octets - BigInt(charge.sponsoredOctets),
    chargeMicros: BigInt(charge.chargeMicros),
    usedOctetsAfter: BigInt(charge.usedOctetsAfter),
    carryAfter: BigInt(charge.carryAfter),
  };
}

const hexOf = (msisdn: string) => KEY.pseudonymOf(msisdn).toString('hex');
const chargeOf = ({ record: of, charge }: BookedRecord) =>
  charge === null ? null : bookedCharge(charge, charge.sponsorId, of, hexOf(of.servedMsisdn));

test('re-rating of records that were read again and its second computation agree on every record', () => {
  let changed = 0;
  fc.assert(
    fc.property(traffic, catalogues, catalogues, facts, range, (records, old, other, known, range) => {
      const first = new Rules(other, known);
      const second = secondRules(other.canonicalJson, known);
      let now = bookedRecords(records, new Rules(old, known));
      // Each sponsor gives up what is another's before that one takes it.
      for (const sponsorId of ['s0', 's1', 's0']) {
        const again = new SecondRerating({ sponsorId, currency: 'EUR', ...range }, new SecondPseudonyms(KEY));
        const after = ratedAgain(now, first, sponsorId, { range }).booked;
        const computed = now.map((each) => {
          const before = chargeOf(each);
          return each.isOpen ? again.ofSource({ record: each.record, before }, second, undefined) : before;
        });
        expect(computed).toEqual(after.map(chargeOf));
        changed += computed.filter(
          (charge, at) => JSON.stringify(charge, text) !== JSON.stringify(chargeOf(now[at]), text),
        ).length;
        now = after;
      }
    }),
    { numRuns: 100 },
  );
  expect(changed).toBeGreaterThan(50);
}, 60_000);

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

/** Pseudonyms as the rows of the fixture have them. */
const ROW_KEY = { pseudonymOf: (number: string) => Buffer.from(number.padStart(16, '0')) } as PseudonymKey;
const rowCharge = ({ record: of, contentType: _, ...charge }: ChargeRow) =>
  bookedCharge(charge, 's', of, ROW_KEY.pseudonymOf(of.servedMsisdn).toString('hex'));

/** Rows do not keep whose account a record is of: re-rating refuses what counts by account. */
const rowCatalogues = catalogues.map(({ canonicalJson }) =>
  catalogueFromCanonicalJson(canonicalJson.replaceAll('"per":"account"', '"per":"subscriber"')),
);

test('re-rating of rows and its second computation agree on every row', () => {
  let unpaid = 0;
  fc.assert(
    fc.property(
      traffic,
      rowCatalogues,
      rowCatalogues,
      campaignFacts(PLAN_IDS, INSTANTS, ZONES, MSISDNS, ROW_KEY),
      range,
      (records, old, other, campaigns, range) => {
        const rows = chargeRows(records, new Rules(old));
        const known = { ...NO_FACTS, campaigns };
        const rules = secondRules(other.canonicalJson, known);
        const again = new SecondRerating({ sponsorId: 's', currency: 'EUR', ...range }, new SecondPseudonyms(KEY));
        const computed = rows
          .filter(({ periodStart }) => periodStart >= range.fromDay)
          .map((row) => {
            // Rows do not keep where the terminal was.
            const of = { ...row.record, ...NO_LATER_FIELDS };
            return again.ofRows({ record: of, before: rowCharge(row) }, rules);
          });
        const first = rerateRows(rows, new Rules(other, known), range).rows.map(rowCharge);
        expect(computed).toEqual(first);
        unpaid += first.filter(({ usedOctetsAfter }) => usedOctetsAfter === 0n).length;
      },
    ),
    { numRuns: 200 },
  );
  expect(unpaid).toBeGreaterThan(20);
}, 60_000);
