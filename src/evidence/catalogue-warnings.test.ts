import { expect, test } from 'vitest';
import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { catalogueWarnings, type WarningContext } from './catalogue-warnings.ts';

const NOW_MS = Date.UTC(2026, 10, 29);
const NOTHING: WarningContext = { nowMs: NOW_MS, sharedClouds: [], use: null };

function catalogue(...applications: string[]): Catalogue {
  const text = `sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "1" }]
applications:
${applications.map((fields, i) => `  - { id: app-${i}, sponsor: s, ${fields} }`).join('\n')}
plans: []
`;
  const { catalogue: parsed, faults } = parseCatalogue(text, 'catalogue.yaml');
  if (faults !== undefined) throw new Error(faults[0].message);
  return parsed;
}

/** As `0 prefixes: message`. */
function warningsOf(of: Catalogue, context: Partial<WarningContext>): string[] {
  return catalogueWarnings(of, { ...NOTHING, ...context }).map(
    ({ code, path, message }) => `${code} ${path.slice(1).join(' ')}: ${message}`,
  );
}

test('an application whose prefixes are all IPv4 is named, unless it needs a tag or an identity', () => {
  const of = catalogue(
    'prefixes: [192.0.2.0/24, 198.51.100.0/24]',
    'prefixes: [203.0.113.0/25, "2001:db8::/32"]',
    'tags: [A], match: tag, prefixes: [203.0.113.128/26]',
    'tags: [B]',
    'prefixes: [{ cidr: 203.0.113.192/26, to: 2026-11-01T00:00:00Z }]',
    'prefixes: [203.0.112.0/24, { cidr: "2001:db9::/32", to: 2026-11-01T00:00:00Z }], match: both, tags: [C]',
  );
  expect(warningsOf(of, {})).toEqual([
    expect.stringMatching(/^ipv4_only 0 prefixes: app-0 has prefixes of IPv4 only \(2\): .*64:ff9b::\/96/),
    expect.stringMatching(/^ipv4_only 5 prefixes: app-5 has prefixes of IPv4 only \(1\)/),
  ]);
});

test('prefixes that share addresses with a cloud are counted, whichever is within the other', () => {
  const v6 = '"2001:db8::/32"';
  const of = catalogue(
    `prefixes: [192.0.2.0/25, 192.0.2.128/26, 198.51.100.0/24, ${v6}]`,
    'prefixes: [192.0.2.192/26, "2001:db9::/32"], match: both, tags: [A]',
    'prefixes: [203.0.113.0/24, "2001:dba::/32"], match: ip',
    'prefixes: [{ cidr: 192.0.3.0/24, to: 2026-11-01T00:00:00Z }, "2001:dbb::/32"]',
  );
  const sharedClouds = [
    { prefix: '192.0.2.0/23', file: 'aws.json' },
    { prefix: '2001:db8:1::/48', file: 'cloud.txt' },
    { prefix: '203.0.113.64/26', file: 'cloud.txt' },
  ];
  expect(warningsOf(of, { sharedClouds })).toEqual([
    expect.stringMatching(
      /^shared_cloud 0 prefixes: 3 of 4 prefixes of app-0 share .*, as 192\.0\.2\.0\/23 \(aws\.json\), 2001:db8:1::\/48 \(cloud\.txt\): .*match: both/,
    ),
    expect.stringMatching(/^shared_cloud 2 prefixes: 1 of 2 prefixes of app-2 .*203\.0\.113\.64\/26 \(cloud\.txt\)/),
  ]);
});

test('evidence that no charge was by is named by application and kind, with the last day that one was', () => {
  const of = catalogue(
    'tags: [A], prefixes: ["2001:db8::/32"], aspIdentities: [asp]',
    'tags: [{ tag: B, from: 2026-11-20T00:00:00Z }], prefixes: ["2001:db9::/32"]',
    'sponsorIdentities: [sponsor]',
  );
  const charged = [
    { applicationId: 'app-0', evidence: 'tag+ip', lastDay: '2026-11-28' },
    { applicationId: 'app-0', evidence: 'cdr', lastDay: '2026-10-15' },
    { applicationId: 'app-0', evidence: 'tag+cdr', lastDay: '2026-10-10' },
    { applicationId: 'app-1', evidence: 'ip', lastDay: '2026-10-30' },
  ];
  expect(warningsOf(of, { use: { days: 30, charged } })).toEqual([
    expect.stringMatching(
      /^unmatched_evidence 0 aspIdentities: no record of app-0 was charged by its identities since 2026-10-30 \(the last one on 2026-10-15\), with 1 of them/,
    ),
    expect.stringMatching(/^unmatched_evidence 2 sponsorIdentities: .* \(never before either\)/),
  ]);
  // A day more, and the prefix of the second application has none either.
  expect(warningsOf(of, { use: { days: 29, charged } })[1]).toMatch(/^unmatched_evidence 1 prefixes: /);
});

test('a store without charges of the days says nothing about any evidence', () => {
  const of = catalogue('tags: [A]');
  const charged = [{ applicationId: 'app-0', evidence: 'tag', lastDay: '2026-01-01' }];
  for (const each of [charged, []]) {
    expect(warningsOf(of, { use: { days: 30, charged: each } })).toEqual([
      expect.stringMatching(/^nothing_booked : no record was charged since 2026-10-30: /),
    ]);
  }
});
