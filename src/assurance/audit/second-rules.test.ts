import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EVIDENCES, FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';
import { latestTimeOf, MIN_TIME_MS } from '../../rating/record/record-limits.ts';
import { NO_FACTS } from '../../rating/rules.ts';
import { closedFor, testRecord, testRules } from '../../rating/traffic.fixture.ts';
import { recognise } from './second-evidence.ts';
import { planAt } from './second-plan.fixture.ts';
import { firstDayOfPeriod, isClosed, lastInstantOf, priceOf, secondRules } from './second-rules.ts';

const rules = secondRules(testRules().catalogue.canonicalJson, NO_FACTS);

describe('which application', () => {
  test.each<[string, Reason | (typeof EVIDENCES)[number], string, Partial<FlowRecord>]>([
    ['nothing', 'no_evidence', '', { remoteIp: '8.8.8.8' }],
    ['a tag that no application claims', 'unknown_tag', '', { remoteIp: '8.8.8.8', zeroRatingTag: 'UNCLAIMED' }],
    ['an empty tag', 'unknown_tag', '', { remoteIp: '8.8.8.8', zeroRatingTag: '' }],
    ['a tag that no application claims, and a prefix', 'ip', 'any', { zeroRatingTag: 'UNCLAIMED' }],
    ['the tag alone', 'tag', 'any', { remoteIp: '8.8.8.8', zeroRatingTag: 'ANY' }],
    ['tag and prefix', 'tag+ip', 'any', { zeroRatingTag: 'ANY' }],
    ['an IPv6 prefix', 'ip', 'any', { remoteIp: '2001:DB8:1:ffff::1' }],
    ['beside the IPv6 prefix', 'no_evidence', '', { remoteIp: '2001:db8:2::' }],
    ['an IPv4 address written as IPv6', 'ip', 'any', { remoteIp: '::ffff:198.51.100.7' }],
    ['the same in hexadecimal groups', 'ip', 'any', { remoteIp: '0:0:0:0:0:FFFF:c633:6407' }],
    ['an IPv6 address that only ends like it', 'no_evidence', '', { remoteIp: '::198.51.100.7' }],
    ['the longer prefix', 'tag_missing', 'tagged', { remoteIp: '198.51.100.64' }],
    ['its last address', 'tag_missing', 'tagged', { remoteIp: '198.51.100.127' }],
    ['past it', 'ip', 'any', { remoteIp: '198.51.100.128' }],
    ['tag and prefix of two', 'evidence_conflict', '', { zeroRatingTag: 'IP' }],
    ['a tag alone for ip', 'prefix_missing', 'by-ip', { remoteIp: '8.8.8.8', zeroRatingTag: 'IP' }],
    ['a prefix alone for both', 'tag_missing', 'both', { remoteIp: '192.0.2.1' }],
    ['a tag alone for both', 'prefix_missing', 'both', { remoteIp: '8.8.8.8', zeroRatingTag: 'BOTH' }],
    ['an ASP identity', 'cdr', 'any', { remoteIp: '8.8.8.8', applicationServiceProviderIdentity: 'asp-any' }],
    ['a sponsor identity, and a prefix', 'cdr+ip', 'by-ip', { remoteIp: '203.0.113.1', sponsorIdentity: 'bolt-pays' }],
    ['a sponsor identity alone for ip', 'prefix_missing', 'by-ip', { remoteIp: '::1', sponsorIdentity: 'bolt-pays' }],
    [
      'the ASP identity before the sponsor identity',
      'cdr',
      'in-cdr',
      { remoteIp: '::1', sponsorIdentity: 'bolt-pays', applicationServiceProviderIdentity: 'asp-cdr' },
    ],
    [
      'a sponsor identity where the ASP identity is unclaimed',
      'cdr+ip',
      'by-ip',
      { remoteIp: '203.0.113.1', sponsorIdentity: 'bolt-pays', applicationServiceProviderIdentity: 'unclaimed' },
    ],
    [
      'identities of two sponsors',
      'evidence_conflict',
      '',
      { sponsorIdentity: 'bolt-pays', applicationServiceProviderIdentity: 'asp-any' },
    ],
    ['unclaimed identities', 'unknown_identity', '', { remoteIp: '::1', sponsorIdentity: 'unclaimed' }],
    [
      'a tag and unclaimed identities',
      'unknown_tag',
      '',
      { remoteIp: '::1', sponsorIdentity: 'x', zeroRatingTag: 'X' },
    ],
    ['unclaimed identities, and a prefix', 'ip', 'any', { sponsorIdentity: 'unclaimed' }],
    ['tag and identity', 'tag+cdr+ip', 'any', { zeroRatingTag: 'ANY', applicationServiceProviderIdentity: 'asp-any' }],
    [
      'tag and identity of two',
      'evidence_conflict',
      '',
      { remoteIp: '::1', zeroRatingTag: 'TAG', applicationServiceProviderIdentity: 'asp-any' },
    ],
    ['identity and prefix of two', 'evidence_conflict', '', { applicationServiceProviderIdentity: 'asp-cdr' }],
    ['a prefix alone for cdr', 'identity_missing', 'in-cdr', { remoteIp: '192.0.2.65' }],
    ['both for both', 'tag+ip', 'both', { remoteIp: '192.0.2.1', zeroRatingTag: 'BOTH' }],
  ])('%s: %s %s', (_, expected, applicationId, fields) => {
    const recognised = recognise(rules, testRecord(fields));
    const said = recognised.reason ?? recognised.evidence;
    expect([said, recognised.application?.id ?? '']).toEqual([expected, applicationId]);
  });
});

test.each([
  ['2025-12-31T23:59:59.999Z', undefined],
  ['2026-01-01T00:00:00.000Z', 1],
  ['2026-11-19T23:59:59.999Z', 1],
  ['2026-11-20T00:00:00.000Z', 2],
])('the version in force at %s', (instant, version) => {
  expect(planAt(rules, 'any', Date.parse(instant))?.document.version).toBe(version);
});

/** A plan of a catalogue that leaves out all that has a default. */
function rulesWith(plan: { period?: string; timeZone?: string; tiers?: object[] }) {
  const terms = { period: 'day', timeZone: 'UTC', tiers: [{ upToOctets: null, pricePerMiB: '1' }], ...plan };
  const dates = { effectiveFrom: '1970-01-01T00:00:00Z', effectiveTo: null };
  const document = {
    sponsors: [{ id: 's', name: 'S', currency: 'EUR', creditLimit: '1' }],
    applications: [{ id: 'a', sponsor: 's' }],
    plans: [{ id: 'p', application: 'a', version: 1, ...dates, content: {}, quotaOctets: null, ...terms }],
  };
  const made = secondRules(JSON.stringify(document), NO_FACTS);
  const only = planAt(made, 'a', 0);
  if (only === undefined) throw new Error('no plan');
  return { made, plan: only };
}

describe('first day of a period', () => {
  test.each([
    ['day', 'UTC', '2026-11-10T23:59:59.999Z', '2026-11-10'],
    ['day', 'Asia/Kathmandu', '2026-11-10T18:15:00Z', '2026-11-11'], // UTC+5:45
    ['day', 'Asia/Kathmandu', '2026-11-10T18:14:59.999Z', '2026-11-10'],
    ['week', 'UTC', '2027-01-01T00:00:00Z', '2026-12-28'], // a Friday
    ['week', 'UTC', '2026-12-27T23:59:59.999Z', '2026-12-21'], // a Sunday
    ['month', 'Europe/Berlin', '2026-10-31T22:59:59.999Z', '2026-10-01'],
    ['month', 'Europe/Berlin', '2026-10-31T23:00:00Z', '2026-11-01'],
    ['day', 'Europe/Berlin', '2026-03-29T22:00:00Z', '2026-03-30'], // a day of 23 hours
    ['day', 'America/Sao_Paulo', '2018-11-04T02:59:59.999Z', '2018-11-03'],
    ['day', 'America/Sao_Paulo', '2018-11-04T03:00:00Z', '2018-11-04'], // it begins at 01:00
    ['day', 'America/St_Johns', '2006-10-29T02:30:00Z', '2006-10-29'], // midnight
    ['day', 'America/St_Johns', '2006-10-29T02:31:00Z', '2006-10-28'], // clocks go back at 00:01
    ['day', 'America/St_Johns', '2006-10-29T03:30:00Z', '2006-10-29'], // midnight again
    ['day', 'Pacific/Apia', '2011-12-30T09:59:59.999Z', '2011-12-29'],
    ['day', 'Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-31'], // there was no 30th
    ['week', 'UTC', '1970-01-04T23:59:59Z', '1970-01-01'], // a week that began in 1969
    ['week', 'UTC', '1970-01-05T00:00:00Z', '1970-01-05'],
    ['day', 'America/New_York', '1970-01-01T00:00:00Z', '1970-01-01'], // 1969 there
    ['month', 'America/New_York', '1970-01-01T00:00:00Z', '1970-01-01'],
  ])('%s in %s at %s: %s', (period, timeZone, instant, day) => {
    const { made, plan } = rulesWith({ period, timeZone });
    expect(firstDayOfPeriod(made, plan.document, Date.parse(instant)) * 86_400_000).toBe(Date.parse(day));
  });
});

test.each([
  ['2026-09-30', 'any', '2026-09', true],
  ['2026-10-01', 'any', '2026-09', false],
  ['2025-12-31', 'any', '2026-09', true],
  ['2026-12-31', 'tagged', '2026-12', true],
  ['2027-01-01', 'tagged', '2026-12', false],
  ['2026-09-01', 'by-ip', '2026-09', false], // its plan makes adjustments
])('a period of %s of %s is closed with %s: %s', (day, applicationId, month, expected) => {
  const facts = { ...NO_FACTS, ...closedFor('acme', month) };
  const closed = secondRules(testRules().catalogue.canonicalJson, facts);
  const plan = planAt(closed, applicationId, Date.UTC(2026, 10, 1));
  expect(isClosed(closed, plan!, 'acme', Date.parse(day) / 86_400_000)).toBe(expected);
  expect(isClosed(closed, plan!, 'bolt', Date.parse(day) / 86_400_000)).toBe(false);
});

test.each<[string, string, string, string, boolean]>([
  // A week of São Paulo that ends in October; its last instant is 2026-10-05T02:59:59.999Z.
  ['tagged', '2026-09-28', '2026-09', '2026-10-05T03:00:00Z', true],
  ['tagged', '2026-09-28', '2026-09', '2026-10-05T02:59:59Z', false],
  ['tagged', '2026-09-21', '2026-09', '2026-10-01T00:00:00Z', true],
  // The day in Kathmandu ends at 18:15 UTC.
  ['any', '2026-09-30', '2026-09', '2026-09-30T18:15:00Z', true],
  ['any', '2026-09-30', '2026-09', '2026-09-30T18:14:59Z', false],
])('a period of %s that begins on %s, %s closed at %s: closed %s, twice computed', (id, day, month, at, expected) => {
  const facts = { ...NO_FACTS, ...closedFor('acme', month, Date.parse(at)) };
  const rules = testRules(facts);
  const second = secondRules(rules.catalogue.canonicalJson, facts);
  const plan = planAt(second, id, Date.parse(day) + 43_200_000);
  const start = Date.parse(day) / 86_400_000;
  expect(isClosed(second, plan!, 'acme', start)).toBe(expected);
  const index = rules.catalogue.plans.findIndex((known) => known.id === plan!.document.id);
  expect(rules.refusesLate(index, start)).toBe(expected);
});

describe('price', () => {
  const MIB = 1n << 20n;
  const stepped = [
    { upToOctets: 1_048_576, pricePerMiB: '2' },
    { upToOctets: 2_097_152, pricePerMiB: '0' },
    { upToOctets: null, pricePerMiB: '0.5' },
  ];
  test.each([
    ['half a micro-unit is rounded up', [{ upToOctets: null, pricePerMiB: '0.524288' }], 1n, 1n],
    ['less than half is rounded down', [{ upToOctets: null, pricePerMiB: '0.524287' }], 1n, 0n],
    ['the highest price', [{ upToOctets: null, pricePerMiB: '4294.967295' }], 3n * MIB, 12_884_901_885n],
    ['nothing', stepped, 0n, 0n],
    ['a part of the first tier', stepped, MIB / 4n, 500_000n],
    ['all of the first tier', stepped, MIB, 2_000_000n],
    ['the second tier is free', stepped, 2n * MIB, 2_000_000n],
    ['a third tier', stepped, 5n * MIB, 3_500_000n],
  ])('%s', (_, tiers, octets, micros) => {
    expect(priceOf(rulesWith({ tiers }).plan, octets)).toBe(micros);
  });
});

describe('the last instant that a record may name', () => {
  const day = Date.UTC(2026, 10, 28) / 86_400_000;
  test.each<[string, number | null, number, number]>([
    ['its own timestamp and the limit', Date.UTC(2026, 10, 20), 60_000, Date.UTC(2026, 10, 20, 0, 1)],
    ['without a timestamp the end of the booking date', null, 60_000, Date.UTC(2026, 10, 29, 0, 1)],
    ['with a timestamp in seconds, too', 1_793_000_000, 60_000, Date.UTC(2026, 10, 29, 0, 1)],
    ['with none that producers left at -1', -1, 60_000, Date.UTC(2026, 10, 29, 0, 1)],
    ['any where there is no limit', Date.UTC(2026, 10, 20), 0, Number.POSITIVE_INFINITY],
  ])('%s', (_, timestampMs, maxFutureSkewMs, lastMs) => {
    expect(lastInstantOf(timestampMs, day, maxFutureSkewMs)).toBe(lastMs);
  });

  test('is the engine’s', () => {
    const timestamp = fc.option(fc.oneof(fc.integer(), fc.integer({ min: 0, max: 5e12 }), fc.constant(MIN_TIME_MS)));
    fc.assert(
      fc.property(timestamp, fc.nat(65_535), fc.nat(1e9), (timestampMs, bookingDay, maxFutureSkewMs) => {
        expect(lastInstantOf(timestampMs, bookingDay, maxFutureSkewMs)).toBe(
          latestTimeOf(timestampMs, bookingDay, maxFutureSkewMs),
        );
      }),
    );
  });
});
