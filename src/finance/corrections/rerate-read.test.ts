import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADDRESSES,
  catalogues,
  IDENTITIES,
  INSTANTS,
  mostly,
  TAGS,
} from '../../assurance/audit/drawn-catalogues.fixture.ts';
import { BY_IP, BY_TAG, CONTENT_TYPES, type FlowRecord } from '../../rating/flow-record.ts';
import { type Facts, NO_FACTS, Rules } from '../../rating/rules.ts';
import { closedFor, TEST_CATALOGUE, testRecord } from '../../rating/traffic.fixture.ts';
import { changedCatalogue, rulesOf } from './rating.fixture.ts';
import { type BookedRecord, bookedRecords, ratedAgain } from './read-again.fixture.ts';
import { LEFT_OUT } from './rerate-lane.ts';

const record = fc
  .record({
    who: fc.integer({ min: 0, max: 2 }),
    sequence: mostly(fc.constant(-1), fc.integer({ min: 0, max: 5 })),
    startTime: mostly(fc.constantFrom(...INSTANTS), fc.integer({ min: Date.UTC(2000), max: Date.UTC(2100) })),
    remoteIp: fc.constantFrom(...ADDRESSES),
    zeroRatingTag: fc.constantFrom(null, null, ...TAGS),
    sponsorIdentity: fc.constantFrom(null, null, null, ...IDENTITIES),
    applicationServiceProviderIdentity: fc.constantFrom(null, null, null, ...IDENTITIES),
    contentType: fc.constantFrom(...CONTENT_TYPES.filter((type) => type !== 'unknown'), null),
    uplinkOctets: mostly(fc.integer({ min: 0, max: 5000 }), fc.constant(-1)),
    downlinkOctets: mostly(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 2 ** 47 })),
  })
  .map(({ who, sequence, ...fields }) => ({
    ...fields,
    localSequenceNumber: sequence,
    servedMsisdn: `99900000000${who}`,
  }));
const traffic = fc.array(record, { maxLength: 60 }).map((records) =>
  records.map(({ localSequenceNumber, ...fields }, at) =>
    testRecord({
      ...fields,
      endTime: fields.startTime,
      localSequenceNumber: localSequenceNumber < 0 ? 100 + at : localSequenceNumber,
    }),
  ),
);
const suspended = fc
  .subarray(['s0', 's1'], { maxLength: 1 })
  .map((sponsorIds): Facts => ({ ...NO_FACTS, suspensions: { sponsorIds: new Set(sponsorIds), number: 1 } }));
const atOnce = fc.integer({ min: 1, max: 20 });

/** Each sponsor gives up what is another's before that one takes it. */
const ORDER = ['s0', 's1', 's0'];

function afterEverySponsor(booked: readonly BookedRecord[], rules: Rules, atOnce: number): BookedRecord[] {
  return ORDER.reduce((now, sponsorId) => ratedAgain(now, rules, sponsorId, { atOnce }).booked, [...booked]);
}

/** What an engine with the catalogue charges of the records that were neither rejected nor duplicates. */
function engineCharges(booked: readonly BookedRecord[], rules: Rules) {
  const open = booked.filter(({ isOpen }) => isOpen).map((each) => each.record);
  const charges = bookedRecords(open, rules).map(({ charge }) => charge);
  return booked.map(({ isOpen }) => (isOpen ? charges.shift() : null));
}

describe('records that were read again', () => {
  test('are charged as an engine charges them that had the catalogue from the beginning; and back', () => {
    fc.assert(
      fc.property(traffic, catalogues, catalogues, suspended, atOnce, (records, old, other, facts, count) => {
        const [before, after] = [new Rules(old, facts), new Rules(other, facts)];
        const booked = bookedRecords(records, before);
        const forward = afterEverySponsor(booked, after, count);
        expect(forward.map(({ charge }) => charge)).toEqual(engineCharges(booked, after));
        for (const sponsorId of ORDER) expect(ratedAgain(forward, after, sponsorId).changed).toBe(0);
        expect(afterEverySponsor(forward, before, count)).toEqual(booked);
      }),
      { numRuns: 300 },
    );
  });

  test('of another sponsor stay that sponsor’s, whatever the catalogue', () => {
    fc.assert(
      fc.property(traffic, catalogues, catalogues, suspended, (records, old, other, facts) => {
        const booked = bookedRecords(records, new Rules(old, facts));
        const { booked: after, leftOut } = ratedAgain(booked, new Rules(other, facts), 's0');
        for (const [at, { charge }] of booked.entries()) {
          if (charge?.sponsorId === 's1') expect(after[at].charge).toEqual(charge);
          else expect(leftOut[at]).not.toBe(LEFT_OUT.otherSponsor);
        }
      }),
    );
  });
});

const PREFIX = 'prefixes: [198.51.100.0/24, "2001:db8:1::/48"], ';
const MISSED = rulesOf(changedCatalogue([PREFIX, '']));
const RIGHT = rulesOf(TEST_CATALOGUE);
const textOf = (fields: Partial<FlowRecord>) => testRecord({ contentType: 'text', uplinkOctets: 0, ...fields });

describe('a prefix that was missing', () => {
  const records = [
    textOf({ localSequenceNumber: 1, downlinkOctets: 19_000 }),
    textOf({ localSequenceNumber: 2, downlinkOctets: 1000, zeroRatingTag: 'ANY', remoteIp: '8.8.8.8' }),
    textOf({ localSequenceNumber: 2, downlinkOctets: 1000, zeroRatingTag: 'ANY', remoteIp: '8.8.8.8' }),
    textOf({ localSequenceNumber: 3, downlinkOctets: 1000 }),
    textOf({ localSequenceNumber: 4, downlinkOctets: -1 }),
  ];
  const booked = bookedRecords(records, MISSED);

  test('charges the missed records, by their evidence, and what came after them with the counter that they moved', () => {
    expect(booked.map(({ charge }) => charge?.usedOctetsAfter ?? null)).toEqual([null, 1000, null, null, null]);
    const { booked: after, changed } = ratedAgain(booked, RIGHT, 'acme');
    expect(after.map(({ charge }) => charge?.usedOctetsAfter ?? null)).toEqual([19_000, 20_000, null, 20_000, null]);
    expect(after.map(({ charge }) => charge?.evidence ?? null)).toEqual([BY_IP, BY_TAG, null, BY_IP, null]);
    expect(changed).toBe(3);
  });

  test('a duplicate and a rejection stay what they were', () => {
    const { booked: after } = ratedAgain(booked, RIGHT, 'acme');
    expect([after[2], after[4]]).toEqual([booked[2], booked[4]]);
  });

  test('the subscriber who can no longer be named is left out, and so is a period outside of the range', () => {
    const nameless = booked.map((each) => (each.charge === null ? { ...each, isNameless: true } : each));
    expect(ratedAgain(nameless, RIGHT, 'acme')).toMatchObject({
      booked: nameless,
      changed: 0,
      leftOut: [LEFT_OUT.nameless, LEFT_OUT.none, LEFT_OUT.none, LEFT_OUT.nameless, LEFT_OUT.none],
    });
    const { leftOut } = ratedAgain(booked, RIGHT, 'acme', { range: { fromDay: 0, toDay: 20_000 } });
    expect(leftOut).toEqual([LEFT_OUT.outOfRange, LEFT_OUT.none, LEFT_OUT.none, LEFT_OUT.outOfRange, LEFT_OUT.none]);
  });

  test('only its own sponsor is charged for it', () => {
    expect(ratedAgain(booked, RIGHT, 'bolt')).toMatchObject({ changed: 0, booked });
  });
});

describe('what the batch was rated with', () => {
  const missed = bookedRecords([textOf({})], MISSED);
  const charged = bookedRecords([textOf({})], RIGHT);

  test('while the sponsor was suspended a record stays unsponsored', () => {
    const facts = { ...NO_FACTS, suspensions: { sponsorIds: new Set(['acme']), number: 1 } };
    expect(ratedAgain(missed, RIGHT.with(facts), 'acme')).toMatchObject({ changed: 0, leftOut: [LEFT_OUT.none] });
  });

  test('a record that the plan would have refused as late stays unsponsored; one that was charged stays charged', () => {
    const late = RIGHT.with({ ...NO_FACTS, ...closedFor('acme', '2026-11') });
    expect(ratedAgain(missed, late, 'acme')).toMatchObject({ changed: 0, leftOut: [LEFT_OUT.none] });
    expect(ratedAgain(charged, late, 'acme')).toMatchObject({ changed: 0, booked: charged });
  });
});

test('periods that the range holds in part are found, also of records that had no charge', () => {
  const range = { fromDay: 20_767, toDay: 20_768 };
  const monthly = rulesOf(changedCatalogue(['period: day', 'period: month']));
  const { lane } = ratedAgain(bookedRecords([textOf({})], RIGHT), monthly, 'acme', { range });
  expect(lane.tornPeriods()).toMatchObject([{ planId: 'any-day' }]);
});

test('a record without a charge that would count in a further quota of records in the range makes the range a part', () => {
  const windowed = ['period: day', 'period: day\n    windows: [{ period: week, quotaOctets: 9000 }]'] as const;
  const at = (day: number) => ({ startTime: Date.UTC(2026, 10, day, 6), endTime: Date.UTC(2026, 10, day, 7) });
  const booked = bookedRecords(
    [textOf({ localSequenceNumber: 1, ...at(9) }), textOf({ localSequenceNumber: 2, ...at(10) })],
    MISSED,
  );
  const [fromDay, toDay] = [9, 10].map((day) => Date.UTC(2026, 10, day) / 86_400_000);
  const torn = (range: { fromDay: number; toDay: number }) =>
    ratedAgain(booked, rulesOf(changedCatalogue([...windowed])), 'acme', { range }).lane.tornPeriods();
  expect(torn({ fromDay, toDay })).toEqual([{ planId: 'any-day:week', periodStart: fromDay }]);
  expect(torn({ fromDay, toDay: toDay + 1 })).toEqual([]);
});
