import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { catalogueFromCanonicalJson, parseCatalogue } from './catalogue-compile.ts';

const TEXT = `
sponsors:
  - { id: s, name: S, currency: EUR, creditLimit: "12.5" }
applications:
  - { id: idle, sponsor: s }
  - { id: a, sponsor: s, match: both, tags: [T], prefixes: [203.0.113.0/24, "2001:db8::/32"] }
plans:
  - id: p
    application: a
    version: 2
    effectiveFrom: 2026-02-01T00:00:00+01:00
    effectiveTo: null
    period: month
    timeZone: Europe/Berlin
    content: { text: 10000, video: 0 }
    quotaOctets: 5000
    notifyAt: [8000]
    tiers: [{ upToOctets: 100, pricePerMiB: "0.123457" }, { upToOctets: null, pricePerMiB: "0" }]
    latePolicy: refuse
  - id: p
    application: a
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-02-01T00:00:00+01:00
    period: month
    timeZone: Europe/Berlin
    content: { unknown: 3333 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "4294.967295" }]
`;

const parse = (text: string) => {
  const { catalogue, faults } = parseCatalogue(text, 'c.yaml');
  expect(faults).toBeUndefined();
  return catalogue!;
};

const NO_IDENTITIES = { aspIdentities: [], sponsorIdentities: [], services: [], detections: [] };

test('resolves ids, money and times', () => {
  const { sponsors, applications, plans } = parse(TEXT);
  expect(sponsors).toEqual([{ id: 's', name: 'S', currency: 'EUR', minorDigits: 2, creditLimitMicros: 12_500_000 }]);
  expect(applications).toEqual([
    { id: 'idle', sponsor: 0, match: 'any', tags: [], prefixes: [], ...NO_IDENTITIES, plans: [] },
    {
      id: 'a',
      sponsor: 0,
      match: 'both',
      tags: ['T'],
      prefixes: ['203.0.113.0/24', '2001:db8::/32'],
      ...NO_IDENTITIES,
      plans: [1, 0], // plan 1 begins before plan 0
    },
  ]);
  expect(plans[0]).toEqual({
    id: 'p',
    version: 2,
    application: 1,
    effectiveFromMs: Date.UTC(2026, 0, 31, 23),
    effectiveToMs: Number.POSITIVE_INFINITY,
    period: 'month',
    timeZone: 'Europe/Berlin',
    order: Number.POSITIVE_INFINITY,
    hours: null,
    network: null,
    shareBasisPoints: [10_000, -1, -1, 0, -1, -1],
    quotaOctets: 5000,
    allocateAboveOctets: 0,
    notifyAtBasisPoints: [8000],
    tiers: [
      { upToOctets: 100, pricePerMiBMicros: 123_457 },
      { upToOctets: Number.POSITIVE_INFINITY, pricePerMiBMicros: 0 },
    ],
    latePolicy: 'refuse',
    furtherQuotas: [],
  });
  expect(plans[1]).toMatchObject({
    effectiveToMs: Date.UTC(2026, 0, 31, 23),
    quotaOctets: Number.POSITIVE_INFINITY,
    notifyAtBasisPoints: [],
    tiers: [{ pricePerMiBMicros: 2 ** 32 - 1 }],
    latePolicy: 'adjust',
  });
});

test('the hash names the content, not the layout', () => {
  const catalogue = parse(TEXT);
  const relaid = parse(
    TEXT.replace('{ id: s, name: S,', '{ name: "S", id: s,').replace('[T]', '[\n   "T" # a tag\n   ]'),
  );
  expect(relaid.hash).toBe(catalogue.hash);
  expect(catalogue.hash).toBe(createHash('sha256').update(catalogue.canonicalJson).digest('hex'));
  expect(parse(TEXT.replace('3333', '3334')).hash).not.toBe(catalogue.hash);
  expect(catalogue.canonicalJson).toMatch(/^\{"applications":\[\{"id":"idle","match":"any","prefixes":\[\],"sponsor"/);
});

test('a catalogue without allocateAboveOctets has the text that it had before there was one', () => {
  const { hash, canonicalJson } = parse(TEXT);
  const before = canonicalJson.replace(',"minorDigits":2', '');
  expect(createHash('sha256').update(before).digest('hex')).toBe(
    '7f13ae961fc43921e01a72086c8730cdf9a8c8775b9b0a9ae1e9e23a148c788f',
  );
  const with100 = parse(TEXT.replace('quotaOctets: 5000', 'quotaOctets: 5000\n    allocateAboveOctets: 100'));
  expect(with100.plans[0].allocateAboveOctets).toBe(100);
  expect(with100.hash).not.toBe(hash);
});

test('claims with dates are resolved, and a catalogue without dates has the hash that it had before there were any', () => {
  const dates =
    '{ tag: T, to: 2026-03-01T00:00:00+01:00 }, { tag: U, from: 2026-03-01T00:00:00Z, to: 2026-04-01T00:00:00Z }';
  const lists = `{ cidr: "2001:db8::/32", from: 2026-03-01T00:00:00Z }], sponsorIdentities: [{ identity: x }]`;
  const dated = parse(TEXT.replace('[T]', `[${dates}, V]`).replace('"2001:db8::/32"]', lists));
  const [MARCH, APRIL] = [Date.UTC(2026, 2, 1), Date.UTC(2026, 3, 1)];
  expect(dated.applications[1]).toMatchObject({
    tags: [
      { text: 'T', fromMs: Number.NEGATIVE_INFINITY, toMs: MARCH - 3_600_000 },
      { text: 'U', fromMs: MARCH, toMs: APRIL },
      'V',
    ],
    prefixes: ['203.0.113.0/24', { text: '2001:db8::/32', fromMs: MARCH, toMs: Number.POSITIVE_INFINITY }],
    sponsorIdentities: ['x'],
  });
  expect(catalogueFromCanonicalJson(dated.canonicalJson)).toEqual(dated);
  expect(parse(TEXT).hash).toBe('a502762c980c92c1bfa9fb22a36b59175c3ccfbdb6779bcdeb3ee60a3e362f54');
  expect(dated.hash).not.toBe(parse(TEXT).hash);
});

test('the hash keeps the decimals of the currencies', () => {
  const { canonicalJson, sponsors } = parse(TEXT.replace('currency: EUR', 'currency: KWD'));
  expect(canonicalJson).toContain('"currency":"KWD","id":"s","minorDigits":3');
  expect(sponsors[0].minorDigits).toBe(3);
  const others = catalogueFromCanonicalJson(canonicalJson.replace('"minorDigits":3', '"minorDigits":2'));
  expect(others.sponsors[0].minorDigits).toBe(2);
  const stored = catalogueFromCanonicalJson(canonicalJson.replace(',"minorDigits":3', ''));
  expect(stored.sponsors[0].minorDigits).toBe(3);
});

test('comes back from its canonical JSON', () => {
  const catalogue = parse(TEXT);
  expect(catalogueFromCanonicalJson(catalogue.canonicalJson)).toEqual(catalogue);
  expect(() => catalogueFromCanonicalJson('{"sponsors":[]}')).toThrow();
});

test('the real catalogue reads without a fault', ({ skip }) => {
  const file = new URL('../../../../shared/real/catalogue.yaml', import.meta.url);
  skip(!existsSync(file), 'the real captures are not beside this checkout');
  const catalogue = parse(readFileSync(file, 'utf8'));
  expect([catalogue.sponsors.length, catalogue.applications.length, catalogue.plans.length]).toEqual([5, 6, 7]);
  expect(catalogue.applications.find(({ id }) => id === 'kakaotalk')?.plans).toEqual([5, 6]);
});
