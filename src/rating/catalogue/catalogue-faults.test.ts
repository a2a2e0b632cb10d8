import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from './catalogue-compile.ts';

const GOOD = `sponsors:
  - { id: s1, name: S, currency: EUR, creditLimit: "10" }
  - { id: s2, name: S, currency: JPY, creditLimit: "0" }
applications:
  - { id: a1, sponsor: s1, tags: [T1], prefixes: [203.0.113.0/24], aspIdentities: [asp-1] }
  - { id: a2, sponsor: s2, tags: [T2], prefixes: ["2001:db8::/32", 203.0.113.128/25] }
plans:
  - id: p1
    application: a1
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-02-01T00:00:00Z
    period: month
    timeZone: UTC
    content: { text: 10000 }
    quotaOctets: null
    notifyAt: [5000, 10000]
    tiers: [{ upToOctets: 10, pricePerMiB: "1" }, { upToOctets: null, pricePerMiB: "0.5" }]
  - id: p1
    application: a1
    version: 2
    effectiveFrom: 2026-02-01T08:00:00+08:00
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000 }
    quotaOctets: 0
    tiers:
      - { upToOctets: 10, pricePerMiB: "1" }
      - { upToOctets: null, pricePerMiB: "1" }
`;

/** The faults of the good catalogue with one piece replaced, the n-th of its kind. */
function faultsWith(piece: string | RegExp, replacement: string, nth = 1): string[] {
  let seen = 0;
  const text = GOOD.replace(new RegExp(typeof piece === 'string' ? asPattern(piece) : piece, 'g'), (found) =>
    ++seen === nth ? replacement : found,
  );
  expect(text).not.toBe(GOOD);
  return (parseCatalogue(text, 'c.yaml').faults ?? []).map(formatFault);
}

function asPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

test('the good catalogue is good', () => {
  expect(parseCatalogue(GOOD, 'c.yaml').faults).toBeUndefined();
});

const MONEY = 'expected a decimal number in quotes, not below 0, with at most 6 decimals, as "0.20"';
const CIDR = 'is no network: expected CIDR, as 203.0.113.0/24 or 2001:db8::/32';
const ID = 'expected 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit';
const TIME = 'expected a time with its offset, as 2026-01-31T00:00:00Z or 2026-01-31T00:00:00+08:00';
const ZONE = 'expected an IANA time zone, as Asia/Shanghai or UTC';

test.each<[string, string | RegExp, string, number, string]>([
  ['a bad id', 'id: s2', 'id: S2', 1, `3: sponsors[1].id: ${ID}`],
  ['a long id', 'id: s2', `id: ${'x'.repeat(65)}`, 1, `3: sponsors[1].id: ${ID}`],
  [
    'an unquoted price',
    '"0.5"',
    '0.5',
    1,
    '18: plans[0].tiers[1].pricePerMiB: expected text, got 0.5: put it in quotes',
  ],
  ['seven decimals', '"0.5"', '"0.1234567"', 1, `18: plans[0].tiers[1].pricePerMiB: ${MONEY}`],
  ['a price below 0', '"0.5"', '"-1"', 1, `18: plans[0].tiers[1].pricePerMiB: ${MONEY}`],
  ['a price too high', '"0.5"', '"4294.967296"', 1, '18: plans[0].tiers[1].pricePerMiB: expected at most 4294.967295'],
  [
    'a credit limit too high',
    '"10"',
    '"9007199254.740992"',
    1,
    '2: sponsors[0].creditLimit: expected at most 9007199254.740991',
  ],
  [
    'decimals that the currency does not have',
    'currency: JPY',
    'currency: JPY, minorDigits: 2',
    1,
    '3: sponsors[1].minorDigits: JPY has 0 decimals: leave minorDigits out',
  ],
  [
    'a credit limit finer than the currency',
    'creditLimit: "10"',
    'creditLimit: "10.005"',
    1,
    '2: sponsors[0].creditLimit: EUR has 2 decimals, and 10.005 is finer than that',
  ],
  ['a currency of no country', 'JPY', 'JPX', 1, '3: sponsors[1].currency: expected an ISO 4217 code, as EUR'],
  [
    'a missing time',
    '    effectiveFrom: 2026-01-01T00:00:00Z\n',
    '',
    1,
    '8: plans[0].effectiveFrom: is missing: expected text',
  ],
  [
    'an unknown key',
    'quotaOctets: 0',
    'quotaOctet: 0',
    1,
    '27: plans[1].quotaOctet: unknown key (did you mean "quotaOctets"?)',
  ],
  ['a time without offset', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00', 1, `11: plans[0].effectiveFrom: ${TIME}`],
  ['a day that is none', '2026-01-01T00:00:00Z', '2026-02-30T00:00:00Z', 1, `11: plans[0].effectiveFrom: ${TIME}`],
  ['a zone that is none', 'UTC', 'Asia/Peking', 1, `14: plans[0].timeZone: ${ZONE}`],
  ['an offset for a zone', 'UTC', '"+08:00"', 1, `14: plans[0].timeZone: ${ZONE}`],
  ['a period that is none', 'month', 'year', 1, '13: plans[0].period: expected one of day, week, month, got "year"'],
  [
    'a content type that is none',
    'text: 10000',
    'txt: 10000',
    1,
    '15: plans[0].content.txt: unknown key (did you mean "text"?)',
  ],
  [
    'more than all of a content',
    'text: 10000',
    'text: 10001',
    1,
    '15: plans[0].content.text: expected at most 10000, got 10001',
  ],
  [
    'no session could ever be given',
    'quotaOctets: 0',
    'quotaOctets: 5\n    allocateAboveOctets: 5',
    1,
    '28: plans[1].allocateAboveOctets: expected less than quotaOctets 5, got 5',
  ],
  [
    'a rest of no quota',
    'quotaOctets: null',
    'quotaOctets: null\n    allocateAboveOctets: 5',
    1,
    '17: plans[0].allocateAboveOctets: has a meaning with a quota only',
  ],
  ['a negative quota', 'quotaOctets: 0', 'quotaOctets: -1', 1, '27: plans[1].quotaOctets: expected at least 0, got -1'],
  [
    'a quota beyond exact numbers',
    'quotaOctets: 0',
    'quotaOctets: 9007199254740993',
    1,
    '27: plans[1].quotaOctets: expected at most 9007199254740991, got 9007199254740992',
  ],
  ['thresholds that fall', '[5000, 10000]', '[5000, 5000]', 1, '17: plans[0].notifyAt: expected ascending numbers'],
  ['an empty tag', '[T2]', '[""]', 1, '6: applications[1].tags[0]: expected at least 1 characters, got 0'],
  ['a tag of 66 octets', '[T2]', `[${'é'.repeat(33)}]`, 1, '6: applications[1].tags[0]: expected at most 64 octets'],
  [
    'a match policy that is none',
    'sponsor: s2',
    'sponsor: s2, match: bth',
    1,
    '6: applications[1].match: expected one of any, tag, ip, both, cdr, detected, got "bth" (did you mean "both"?)',
  ],
  ['no tiers', /\[\{ upTo.*\]/, '[]', 1, '18: plans[0].tiers: expected at least 1 entries, got 0'],

  [
    'a sponsor twice',
    'applications:',
    '  - { id: s1, name: S, currency: EUR, creditLimit: "1" }\napplications:',
    1,
    '4: sponsors[2].id: sponsor s1 is already in sponsors[0]',
  ],
  [
    'an application twice',
    'id: a2',
    'id: a1',
    1,
    '6: applications[1].id: application a1 is already in applications[0]',
  ],
  ['a version twice', 'version: 2', 'version: 1', 1, '19: plans[1].id: version 1 of plan p1 is already in plans[0]'],
  [
    'an unknown sponsor',
    'sponsor: s2',
    'sponsor: s22',
    1,
    '6: applications[1].sponsor: no sponsor has the id "s22" (did you mean "s2"?)',
  ],
  [
    'an unknown application',
    'application: a1',
    'application: other',
    2,
    '20: plans[1].application: no application has the id "other"',
  ],
  ['a tag of two', '[T2]', '[T1]', 1, '6: applications[1].tags[0]: tag "T1" is claimed already by application a1'],
  [
    'a tag twice in one',
    '[T2]',
    '[T2, T2]',
    1,
    '6: applications[1].tags[1]: tag "T2" is claimed already by application a2',
  ],
  [
    'a prefix of two',
    '203.0.113.128/25',
    '203.0.113.0/24',
    1,
    '6: applications[1].prefixes[1]: prefix 203.0.113.0/24 is claimed already by application a1',
  ],
  [
    'a prefix written in two ways',
    '203.0.113.128/25',
    '"2001:0DB8:0::0.0.0.0/32"',
    1,
    '6: applications[1].prefixes[1]: prefix 2001:0DB8:0::0.0.0.0/32 (2001:db8::/32) is claimed already by application a2',
  ],
  [
    'an address for a prefix',
    '203.0.113.128/25',
    '203.0.113.128',
    1,
    `6: applications[1].prefixes[1]: "203.0.113.128" ${CIDR}`,
  ],
  [
    'a prefix too long',
    '203.0.113.128/25',
    '203.0.113.128/33',
    1,
    `6: applications[1].prefixes[1]: "203.0.113.128/33" ${CIDR}`,
  ],
  [
    'host bits',
    '203.0.113.128/25',
    '203.0.113.129/25',
    1,
    '6: applications[1].prefixes[1]: 203.0.113.129/25 has host bits set: the network is 203.0.113.128/25',
  ],
  [
    'host bits in IPv6',
    '"2001:db8::/32"',
    '"2001:db8:1::/32"',
    1,
    '6: applications[1].prefixes[0]: 2001:db8:1::/32 has host bits set: the network is 2001:db8::/32',
  ],
  [
    'an IPv4-mapped prefix',
    '"2001:db8::/32"',
    '"::ffff:192.0.2.0/120"',
    1,
    '6: applications[1].prefixes[0]: ::ffff:192.0.2.0/120 is an IPv4-mapped network: write it as 192.0.2.0/24',
  ],
  [
    'a prefix above IPv4',
    '"2001:db8::/32"',
    '"::/0"',
    1,
    '6: applications[1].prefixes[0]: ::/0 holds the IPv4-mapped addresses too: name IPv4 and IPv6 apart, as 0.0.0.0/0 and 2000::/3',
  ],
  [
    'an end before the start',
    '2026-02-01T00:00:00Z',
    '2025-02-01T00:00:00Z',
    1,
    '12: plans[0].effectiveTo: 2025-02-01T00:00:00Z is not after effectiveFrom 2026-01-01T00:00:00Z',
  ],
  [
    'overlapping plans',
    '+08:00',
    '+08:01',
    1,
    '22: plans[1].effectiveFrom: p1 version 2 (2026-02-01T08:00:00+08:01 to no end) overlaps p1 version 1 (2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z) (plans[0]): one plan of application a1 is in force at a time; plans with an order may be in force together',
  ],
  [
    'a gap at the end of the tiers',
    'null, pricePerMiB: "0.5"',
    '20, pricePerMiB: "0.5"',
    1,
    '18: plans[0].tiers[1].upToOctets: a gap: octets above 20 have no price; end with a tier of upToOctets: null',
  ],
  [
    'an ASP identity claimed twice',
    'tags: [T2]',
    'tags: [T2], aspIdentities: [asp-1, asp-2]',
    1,
    '6: applications[1].aspIdentities[0]: identity "asp-1" is claimed already by application a1',
  ],
  [
    'a sponsor identity claimed twice',
    'tags: [T2]',
    'tags: [T2], sponsorIdentities: [pay-2, pay-2]',
    1,
    '6: applications[1].sponsorIdentities[1]: identity "pay-2" is claimed already by application a2',
  ],
  [
    'an empty identity',
    'tags: [T2]',
    'tags: [T2], aspIdentities: [""]',
    1,
    '6: applications[1].aspIdentities[0]: expected at least 1 characters, got 0',
  ],
  [
    'an open tier before the last',
    'upToOctets: 10',
    'upToOctets: null',
    2,
    '29: plans[1].tiers[0].upToOctets: an open tier (null) must be the last: the tiers after it are never reached',
  ],
  [
    'tiers that do not ascend',
    'upToOctets: null, pricePerMiB: "1" }',
    'upToOctets: 10, pricePerMiB: "1" }\n      - { upToOctets: null, pricePerMiB: "0" }',
    1,
    '30: plans[1].tiers[1].upToOctets: tiers must ascend: 10 is not above 10',
  ],
  [
    'another application in a version',
    'application: a1',
    'application: a2',
    2,
    '20: plans[1].application: a2 differs from a1 in version 1 of plan p1 (plans[0]): all versions of a plan share one counter, so give this one a new plan id',
  ],
  [
    'another period in a version',
    'month',
    'week',
    2,
    '24: plans[1].period: week differs from month in version 1 of plan p1 (plans[0]): all versions of a plan share one counter, so give this one a new plan id',
  ],
  [
    'another time zone in a version',
    'UTC',
    'Asia/Tokyo',
    2,
    '25: plans[1].timeZone: Asia/Tokyo differs from UTC in version 1 of plan p1 (plans[0]): all versions of a plan share one counter, so give this one a new plan id',
  ],
])('names %s', (_case, piece, replacement, nth, fault) => {
  expect(faultsWith(piece, replacement, nth)).toEqual([`c.yaml:${fault}`]);
});

test('names all faults at once, in the order of the lines', () => {
  const text = GOOD.replace('id: s2', 'id: s1').replace('T2', 'T1').replace('upToOctets: 10,', 'upToOctets: null,');
  expect(parseCatalogue(text, 'c.yaml').faults?.map(({ line, path }) => `${line} ${path}`)).toEqual([
    '3 sponsors[1].id',
    '6 applications[1].sponsor',
    '6 applications[1].tags[0]',
    '18 plans[0].tiers[0].upToOctets',
  ]);
});

test('a plan inside of an earlier long one overlaps it, even behind a short one', () => {
  const text = GOOD.replace('effectiveTo: 2026-02-01T00:00:00Z', 'effectiveTo: null').concat(
    GOOD.slice(GOOD.indexOf('  - id: p1'), GOOD.indexOf('  - id: p1\n    application: a1\n    version: 2'))
      .replace('version: 1', 'version: 3')
      .replace('2026-01-01T00', '2026-01-15T00'),
  );
  const faults = parseCatalogue(text, 'c.yaml').faults?.map(({ path }) => path);
  expect(faults).toEqual(['plans[1].effectiveFrom', 'plans[2].effectiveFrom']);
});

test('of very many unknown references the first ones get a suggestion, and a repeated one the same', () => {
  const references = [...Array.from({ length: 30 }, (_, i) => `s1${String.fromCharCode(97 + i)}`), 's1a'];
  const text = [
    'sponsors: [{ id: s1, name: S, currency: EUR, creditLimit: "1" }]',
    'applications:',
    ...references.map((sponsor, i) => `  - { id: a${i}, sponsor: "${sponsor}" }`),
    'plans: []',
  ].join('\n');
  const messages = parseCatalogue(text, 'c.yaml').faults?.map(({ message }) => message) ?? [];
  expect(messages).toEqual(
    references.map((reference, i) => {
      const meant = i < 20 || i === 30 ? ' (did you mean "s1"?)' : '';
      return `no sponsor has the id ${JSON.stringify(reference)}${meant}`;
    }),
  );
});

test.each<[string, string, string]>([
  ['without a payment', '{ audience: everyone }', 'payment'],
  ['for an unknown audience', '{ payment: prepaid, audience: some }', 'audience'],
  ['with a cap of neither unit', campaignWith('{ per: day }'), 'name either octets or money'],
  ['with a cap of both units', campaignWith('{ per: day, octets: 1, money: "1" }'), 'name either octets or money'],
  ['with a cap of no money', campaignWith('{ per: day, money: "0.00" }'), 'expected an amount above 0'],
  ['with a cap of no octets', campaignWith('{ per: day, octets: 0 }'), 'octets'],
  ['with a cap for another window', campaignWith('{ per: hour, octets: 1 }'), 'per'],
  ['with thresholds that do not ascend', campaignWith('{ per: day, octets: 1, notifyAt: [2, 1] }'), 'ascending'],
  [
    'with two caps for one window and unit',
    campaignWith('{ per: day, octets: 1 }, { per: day, money: "1" }, { per: day, octets: 2 }'),
    'a second cap per day, in octets, after caps[0]: keep the lower one',
  ],
])('a campaign %s', (_, campaign, message) => {
  const faults = faultsWith('quotaOctets: 0', `quotaOctets: 0\n    campaign: ${campaign}`);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^c\.yaml:\d+:/);
  expect(faults[0]).toContain(message);
});

function campaignWith(caps: string): string {
  return `{ payment: postpaid, audience: everyone, caps: [${caps}] }`;
}
