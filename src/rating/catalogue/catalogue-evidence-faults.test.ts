import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from './catalogue-compile.ts';

/** Returns the faults of a catalogue of two applications with these fields. */
function faultsOf(first: string, second = ''): string[] {
  const text = [
    'sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "1" }]',
    'applications:',
    `  - { id: a, sponsor: s, ${first} }`,
    `  - { id: b, sponsor: s, ${second} }`,
    'plans: []',
  ].join('\n');
  return (parseCatalogue(text, 'c.yaml').faults ?? []).map(formatFault);
}

const MARCH = '2026-03-01T00:00:00Z';
const JUNE = '2026-06-01T00:00:00Z';
const TIME = 'expected a time with its offset, as 2026-01-31T00:00:00Z or 2026-01-31T00:00:00+08:00';
const REMEDY = 'one claim of it is in force at a time, so end one where the other begins';

test.each<[string, string, string]>([
  ['plain and dated in one list', `tags: [x, { tag: y, from: ${MARCH}, to: ${JUNE} }]`, ''],
  ['an object without dates', 'tags: [{ tag: x }]', 'prefixes: [{ cidr: 192.0.2.0/24 }]'],
  [
    'a tag that passes from one to the other',
    `tags: [{ tag: x, to: ${MARCH} }, { tag: x, from: ${JUNE} }]`,
    `tags: [{ tag: x, from: ${MARCH}, to: ${JUNE} }]`,
  ],
  [
    'the same instant in two zones',
    `tags: [{ tag: x, to: ${MARCH} }]`,
    'tags: [{ tag: x, from: 2026-03-01T08:00:00+08:00 }]',
  ],
  [
    'a prefix and one within it',
    `prefixes: [192.0.2.0/24]`,
    `prefixes: [{ cidr: 192.0.2.0/25, from: ${MARCH} }, { cidr: 192.0.2.0/25, to: ${MARCH} }]`,
  ],
  [
    'a text in lists of two kinds',
    `tags: [{ tag: x, from: ${MARCH} }], aspIdentities: [{ identity: x, from: ${MARCH} }]`,
    `sponsorIdentities: [{ identity: x, from: ${MARCH} }]`,
  ],
])('is good: %s', (_, first, second) => {
  expect(faultsOf(first, second)).toEqual([]);
});

test.each<[string, string, string, string]>([
  [
    'an end before the beginning',
    `tags: [{ tag: x, from: ${JUNE}, to: ${MARCH} }]`,
    '',
    `3: applications[0].tags[0].to: ${MARCH} is not after from ${JUNE}`,
  ],
  [
    'an end at the beginning',
    `prefixes: [{ cidr: 192.0.2.0/24, from: ${MARCH}, to: 2026-03-01T08:00:00+08:00 }]`,
    '',
    `3: applications[0].prefixes[0].to: 2026-03-01T08:00:00+08:00 is not after from ${MARCH}`,
  ],
  [
    'a tag of one application twice at a time',
    `tags: [{ tag: x, to: ${JUNE} }, { tag: x, from: ${MARCH} }]`,
    '',
    `3: applications[0].tags[1].from: tag "x" (${MARCH} to no end) overlaps the claim of application a (no beginning to ${JUNE}) (applications[0].tags[0]): ${REMEDY}`,
  ],
  [
    'a tag of two applications at a time',
    `tags: [y, { tag: x, from: ${MARCH} }]`,
    `tags: [{ tag: x, from: 2026-05-31T23:59:59.999Z, to: ${JUNE} }]`,
    `4: applications[1].tags[0].from: tag "x" (2026-05-31T23:59:59.999Z to ${JUNE}) overlaps the claim of application a (${MARCH} to no end) (applications[0].tags[1]): ${REMEDY}`,
  ],
  [
    'a tag that is in force always, and a dated one',
    `tags: [{ tag: x, from: ${MARCH}, to: ${JUNE} }]`,
    'tags: [x]',
    `3: applications[0].tags[0].from: tag "x" (${MARCH} to ${JUNE}) overlaps the claim of application b (always) (applications[1].tags[0]): ${REMEDY}`,
  ],
  [
    'an object without dates, and the text',
    'tags: [{ tag: x }]',
    'tags: [x]',
    '4: applications[1].tags[0]: tag "x" is claimed already by application a',
  ],
  [
    'a prefix in two spellings',
    `prefixes: [{ cidr: "2001:db8::/32", to: ${JUNE} }]`,
    `prefixes: [{ cidr: "2001:0DB8::/32", from: ${MARCH} }]`,
    `4: applications[1].prefixes[0].from: prefix 2001:0DB8::/32 (2001:db8::/32) (${MARCH} to no end) overlaps the claim of application a (no beginning to ${JUNE}) (applications[0].prefixes[0]): ${REMEDY}`,
  ],
  [
    'an identity of two applications at a time',
    `aspIdentities: [{ identity: x, from: ${MARCH} }]`,
    `aspIdentities: [{ identity: x, to: ${JUNE} }]`,
    `3: applications[0].aspIdentities[0].from: identity "x" (${MARCH} to no end) overlaps the claim of application b (no beginning to ${JUNE}) (applications[1].aspIdentities[0]): ${REMEDY}`,
  ],
  [
    'a dated prefix that is none',
    `prefixes: [{ cidr: 192.0.2.1/24, from: ${MARCH} }]`,
    '',
    '3: applications[0].prefixes[0]: 192.0.2.1/24 has host bits set: the network is 192.0.2.0/24',
  ],
  [
    'a time without offset',
    'tags: [{ tag: x, from: 2026-03-01T00:00:00 }]',
    '',
    `3: applications[0].tags[0].from: ${TIME}`,
  ],
  [
    'a date alone',
    'prefixes: [{ cidr: 192.0.2.0/24, to: 2026-03-01 }]',
    '',
    `3: applications[0].prefixes[0].to: ${TIME}`,
  ],
  [
    'no tag in the object',
    `tags: [{ from: ${MARCH} }]`,
    '',
    '3: applications[0].tags[0].tag: is missing: expected text',
  ],
  ['an end that is null', 'tags: [{ tag: x, to: null }]', '', '3: applications[0].tags[0].to: expected text, got null'],
  [
    'a tag that is no text',
    'tags: [5]',
    '',
    '3: applications[0].tags[0]: expected text or a map, got 5: put it in quotes',
  ],
  [
    'an empty tag in the object',
    'tags: [{ tag: "" }]',
    '',
    '3: applications[0].tags[0].tag: expected at least 1 characters, got 0',
  ],
])('names %s', (_, first, second, fault) => {
  expect(faultsOf(first, second)).toEqual([`c.yaml:${fault}`]);
});

const FLOWS = 'so end one where the other begins, or give them protocols or ports that no record has both of';

test.each<[string, string, string]>([
  [
    'other protocols',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp }]',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: 17 }]',
  ],
  [
    'ports beside each other, one port and many',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: 443 }]',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: ["0-442", "444-65535"] }]',
  ],
  [
    'the same ports one after the other',
    `prefixes: [{ cidr: 192.0.2.0/24, protocol: udp, ports: 443, to: ${MARCH} }]`,
    `prefixes: [{ cidr: 192.0.2.0/24, protocol: 17, ports: "443", from: ${MARCH} }]`,
  ],
  ['a protocol without ports', 'prefixes: [{ cidr: 192.0.2.0/24, protocol: esp }]', ''],
])('protocols and ports are good: %s', (_, first, second) => {
  expect(faultsOf(first, second)).toEqual([]);
});

test.each<[string, string, string, string]>([
  [
    'the same port by a name and a number',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: 443 }]',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: 6, ports: ["80", "400-500"] }]',
    `4: applications[1].prefixes[0]: prefix 192.0.2.0/24 (tcp ports 80, 400-500, always) overlaps the claim of application a (tcp port 443, always) (applications[0].prefixes[0]): one claim of it is in force at a time, ${FLOWS}`,
  ],
  [
    'ports and all of the protocol',
    `prefixes: [{ cidr: 192.0.2.0/24, protocol: udp, from: ${MARCH} }]`,
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: udp, ports: 443 }]',
    `3: applications[0].prefixes[0].from: prefix 192.0.2.0/24 (udp, ${MARCH} to no end) overlaps the claim of application b (udp port 443, always) (applications[1].prefixes[0]): one claim of it is in force at a time, ${FLOWS}`,
  ],
  [
    'a protocol and everything',
    'prefixes: [192.0.2.0/24]',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: 50 }]',
    `4: applications[1].prefixes[0]: prefix 192.0.2.0/24 (esp, always) overlaps the claim of application a (always) (applications[0].prefixes[0]): one claim of it is in force at a time, ${FLOWS}`,
  ],
  [
    'ports without a protocol',
    'prefixes: [{ cidr: 192.0.2.0/24, ports: 443 }]',
    '',
    '3: applications[0].prefixes[0].ports: ports need protocol: tcp, udp, sctp',
  ],
  [
    'ports of a protocol that has none',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: icmp, ports: 443 }]',
    '',
    '3: applications[0].prefixes[0].ports: ports need protocol: tcp, udp, sctp, not icmp',
  ],
  [
    'a span that ends before it begins',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: ["80", "500-400"] }]',
    '',
    '3: applications[0].prefixes[0].ports: 500-400 is no span of ports from 0 to 65535: expected 443 or "5000-5999"',
  ],
  [
    'a port that is none',
    'prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: "65536" }]',
    '',
    '3: applications[0].prefixes[0].ports: 65536 is no span of ports from 0 to 65535: expected 443 or "5000-5999"',
  ],
  [
    'too many spans',
    `prefixes: [{ cidr: 192.0.2.0/24, protocol: tcp, ports: [${Array.from({ length: 65 }, (_, at) => at * 2).join(', ')}] }]`,
    '',
    '3: applications[0].prefixes[0].ports: 65 spans of ports: expected at most 64; join those beside each other, or leave ports out',
  ],
])('protocols and ports are refused: %s', (_, first, second, expected) => {
  expect(faultsOf(first, second)).toEqual([`c.yaml:${expected}`]);
});

test.each([
  ['protocol: http', 'protocol'],
  ['protocol: 256', 'protocol'],
  ['protocol: tcp, ports: https', 'ports'],
  ['protocol: tcp, ports: []', 'ports'],
])('what is no protocol or port is refused where it is: %s', (fields, key) => {
  const [fault, ...others] = faultsOf(`prefixes: [{ cidr: 192.0.2.0/24, ${fields} }]`);
  expect(fault).toContain(`c.yaml:3: applications[0].prefixes[0].${key}: expected`);
  expect(others).toEqual([]);
});

test('the same protocol and ports have one hash, however they are written; without them a catalogue keeps its own', () => {
  const hashOf = (prefix: string) => {
    const text = `sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "1" }]\napplications: [{ id: a, sponsor: s, prefixes: [${prefix}] }]\nplans: []`;
    return parseCatalogue(text, 'c.yaml').catalogue?.canonicalJson;
  };
  const one = hashOf('{ cidr: 192.0.2.0/24, protocol: tcp, ports: ["8080", 443, "444-445"] }');
  expect(one).toContain('"prefixes":[{"cidr":"192.0.2.0/24","ports":["443-445","8080"],"protocol":6}]');
  expect(hashOf('{ cidr: 192.0.2.0/24, protocol: 6, ports: ["443-444", "445", "8080"] }')).toBe(one);
  expect(hashOf('{ cidr: 192.0.2.0/24, protocol: 6, ports: "0-65535" }')).toBe(
    hashOf('{ cidr: 192.0.2.0/24, protocol: tcp }'),
  );
  expect(hashOf('192.0.2.0/24')).toContain('"prefixes":["192.0.2.0/24"]');
});

test.each<[string, string, string]>([
  [
    'a rating group and a service identifier in it',
    'ratingGroups: [1001]',
    'ratingGroups: [{ ratingGroup: 1001, serviceIdentifier: 7 }]',
  ],
  [
    'a service identifier alone, and in a rating group',
    'serviceIdentifiers: [7]',
    'ratingGroups: [{ ratingGroup: 7, serviceIdentifier: 7 }]',
  ],
  [
    'a rating group that passes on',
    `ratingGroups: [{ ratingGroup: 0, to: ${MARCH} }]`,
    `ratingGroups: [{ ratingGroup: 0, from: ${MARCH} }]`,
  ],
])('rating groups and service identifiers are good: %s', (_, first, second) => {
  expect(faultsOf(first, second)).toEqual([]);
});

test.each<[string, string, string, string]>([
  [
    'one rating group of two',
    'ratingGroups: [1, 1001]',
    'ratingGroups: [{ ratingGroup: 1001 }]',
    '4: applications[1].ratingGroups[0]: rating group 1001 is claimed already by application a',
  ],
  [
    'a pair at a time',
    `ratingGroups: [{ ratingGroup: 1001, serviceIdentifier: 7, to: ${JUNE} }]`,
    `ratingGroups: [{ ratingGroup: 1001, serviceIdentifier: 7, from: ${MARCH} }]`,
    `4: applications[1].ratingGroups[0].from: service identifier 7 of rating group 1001 (${MARCH} to no end) overlaps the claim of application a (no beginning to ${JUNE}) (applications[0].ratingGroups[0]): ${REMEDY}`,
  ],
  [
    'a service identifier twice',
    'serviceIdentifiers: [7]',
    `serviceIdentifiers: [{ serviceIdentifier: 7, from: ${MARCH} }]`,
    `4: applications[1].serviceIdentifiers[0].from: service identifier 7 (${MARCH} to no end) overlaps the claim of application a (always) (applications[0].serviceIdentifiers[0]): ${REMEDY}`,
  ],
  [
    'an end before the beginning',
    `ratingGroups: [{ ratingGroup: 1, from: ${JUNE}, to: ${MARCH} }]`,
    '',
    `3: applications[0].ratingGroups[0].to: ${MARCH} is not after from ${JUNE}`,
  ],
  [
    'a rating group that no record can have',
    'ratingGroups: [2147483648]',
    '',
    '3: applications[0].ratingGroups[0]: expected at most 2147483647, got 2147483648',
  ],
  [
    'none at all',
    'serviceIdentifiers: []',
    '',
    '3: applications[0].serviceIdentifiers: expected a service identifier, or no such field',
  ],
])('rating groups and service identifiers are refused: %s', (_, first, second, expected) => {
  expect(faultsOf(first, second)).toEqual([`c.yaml:${expected}`]);
});

test.each<[string, string, string]>([
  ['ways apart', 'detectedNames: [{ name: x, by: [sni] }]', 'detectedNames: [{ name: x, by: [dns, dpi] }]'],
  ['dates apart', `detectedNames: [{ name: x, to: ${MARCH} }]`, `detectedNames: [{ name: x, from: ${MARCH} }]`],
  ['alone and together', 'detection: alone, detectedNames: [x]', 'match: detected, detectedNames: [y]'],
])('detected names are good: %s', (_, first, second) => {
  expect(faultsOf(first, second)).toEqual([]);
});

test.each<[string, string, string, string]>([
  [
    'one name of two',
    'detectedNames: [x]',
    'detectedNames: [x]',
    '4: applications[1].detectedNames[0]: detected name "x" is claimed already by application a',
  ],
  [
    'a way of two',
    'detectedNames: [{ name: x, by: [sni, dns] }]',
    'detectedNames: [{ name: x, by: [dns] }]',
    `4: applications[1].detectedNames[0]: detected name "x" (by dns, always) overlaps the claim of application a (by sni, dns, always) (applications[0].detectedNames[0]): ${REMEDY}`,
  ],
  [
    'a policy without a name',
    'match: detected',
    '',
    '3: applications[0].match: detected needs a name in detectedNames',
  ],
  ['alone without a name', 'detection: alone', '', '3: applications[0].detection: alone needs a name in detectedNames'],
])('detected names are refused: %s', (_, first, second, expected) => {
  expect(faultsOf(first, second)).toEqual([`c.yaml:${expected}`]);
});

test('names misspelt keys of claims of two kinds, each with what it knows', () => {
  expect(faultsOf(`tags: [{ tag: x, validity: 1 }]`, `prefixes: [{ cdir: 192.0.2.0/24, until: ${MARCH} }]`)).toEqual([
    'c.yaml:3: applications[0].tags[0].validity: unknown key, known are tag, from, to',
    'c.yaml:4: applications[1].prefixes[0].cdir: unknown key (did you mean "cidr"?)',
    'c.yaml:4: applications[1].prefixes[0].until: unknown key, known are cidr, protocol, ports, from, to',
  ]);
});

test('a short claim within a long one overlaps it, and so does one behind the short one', () => {
  const claims = [
    `{ tag: x, from: 2026-01-01T00:00:00Z, to: 2026-12-01T00:00:00Z }`,
    `{ tag: x, from: 2026-02-01T00:00:00Z, to: ${MARCH} }`,
    `{ tag: x, from: ${JUNE} }`,
  ];
  const places = faultsOf(`tags: [${claims.join(', ')}]`).map((fault) => fault.split(': ')[1]);
  expect(places).toEqual(['applications[0].tags[1].from', 'applications[0].tags[2].from']);
});

test('thousands of claims of one tag, one after the other, are checked at once', () => {
  const hour = (at: number) => new Date(Date.UTC(2026, 0, 1, at)).toISOString();
  const claims = Array.from({ length: 20_000 }, (_, at) => `{ tag: x, from: ${hour(at)}, to: ${hour(at + 1)} }`);
  expect(faultsOf(`tags: [${claims.join(', ')}]`)).toEqual([]);
});
