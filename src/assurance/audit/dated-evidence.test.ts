import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { type Decoder, EVIDENCES, type FlowBatch, type FlowRecord } from '../../rating/flow-record.ts';
import { isReadByKernel } from '../../rating/kernel/kernel.fixture.ts';
import { REASONS, type Reason } from '../../rating/outcome.ts';
import { NO_FACTS, Rules } from '../../rating/rules.ts';
import { asValue, classifyValues, testLane, testRecord } from '../../rating/traffic.fixture.ts';
import { recognise, secondRules } from './second-rules.ts';

const APPLICATIONS = 4;
const START_MS = Date.UTC(2026, 2, 2);
const WEEK_MS = 7 * 86_400_000;
/** Where claims begin and end: weekly, and one span that lasts a millisecond. */
const BORDERS = [0, 1, 2, 3, 4].flatMap((week) =>
  (week === 2 ? [0, 1] : [0]).map((ms) => START_MS + week * WEEK_MS + ms),
);
const TIMES = BORDERS.flatMap((border) => [border - 1, border, border + 1]).concat(START_MS + WEEK_MS / 2);
const TAGS = ['chat', 'chat-2', 'É '];
const IDENTITIES = ['asp', 'pay', 'É '];
const NETWORKS = [
  ...['0.0.0.0/0', '198.51.0.0/16', '198.51.0.0/24', '198.51.100.0/24', '198.51.100.64/26', '198.51.100.70/32'],
  ...['2000::/3', '2001:db8::/32', '2001:db8::/64', '2001:db8:0:0:8000::/65', '2001:db8:1::/48', '2001:db8:1::5/128'],
];
/** First and last addresses of the networks, and what lies beside them. */
const ADDRESSES = [
  ...['8.8.8.8', '198.51.0.0', '198.51.0.255', '198.51.1.0', '198.51.255.255', '198.52.0.0', '198.51.100.63'],
  ...['198.51.100.64', '198.51.100.69', '198.51.100.70', '198.51.100.71', '198.51.100.127', '198.51.100.128'],
  ...['::ffff:198.51.100.70', '::198.51.100.70', '1fff:ffff::', '2001:db7:ffff::', '2001:db8::', '2001:db8:0:0:7fff::'],
  ...['2001:db8:0:0:8000::1', '2001:db8:0:1::', '2001:db8:1::5', '2001:db8:1::6', '2001:db9::', '4000::'],
];

/** One claim, as the reference reads it. */
interface PlainClaim {
  text: string;
  owner: number;
  fromMs: number;
  toMs: number;
}

/**
 * Draws claims of each text that never overlap: an owner, or none, for each span between two borders. Neighbouring spans of one
 * owner are one claim or several.
 */
function claimsOf(texts: readonly string[]): fc.Arbitrary<PlainClaim[]> {
  const edges = [Number.NEGATIVE_INFINITY, ...BORDERS, Number.POSITIVE_INFINITY];
  const owner = fc.integer({ min: -1, max: APPLICATIONS - 1 });
  const spans = fc.oneof(
    owner.map((always) => [{ owner: always, from: 0, to: edges.length - 1 }]),
    fc
      .array(fc.tuple(owner, fc.boolean()), { minLength: edges.length - 1, maxLength: edges.length - 1 })
      .map((drawn) => {
        const claims: { owner: number; from: number; to: number }[] = [];
        for (const [at, [own, isJoined]] of drawn.entries()) {
          const before = claims.at(-1);
          if (isJoined && before?.owner === own) before.to = at + 1;
          else claims.push({ owner: own, from: at, to: at + 1 });
        }
        return claims;
      }),
  );
  return fc.tuple(...texts.map((text) => spans.map((all) => all.map((span) => ({ text, ...span }))))).map((all) =>
    all
      .flat()
      .filter((claim) => claim.owner >= 0)
      .map(({ text, owner: own, from, to }) => ({ text, owner: own, fromMs: edges[from], toMs: edges[to] })),
  );
}

const evidence = fc.record({
  tags: claimsOf(TAGS),
  prefixes: claimsOf(NETWORKS),
  aspIdentities: claimsOf(IDENTITIES),
  sponsorIdentities: claimsOf(IDENTITIES),
  match: fc.array(fc.constantFrom('any', 'any', 'any', 'tag', 'ip', 'both', 'cdr'), {
    minLength: APPLICATIONS,
    maxLength: APPLICATIONS,
  }),
});
type Drawn = typeof evidence extends fc.Arbitrary<infer T> ? T : never;

const KEYS = { tags: 'tag', prefixes: 'cidr', aspIdentities: 'identity', sponsorIdentities: 'identity' } as const;

function catalogueOf({ match, ...lists }: Drawn): Catalogue {
  const iso = (timeMs: number) => (Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : undefined);
  const written = (list: keyof typeof KEYS, owner: number) => {
    const own = lists[list].filter((claim) => claim.owner === owner);
    if (own.length === 0) return undefined;
    return own.map(({ text, fromMs, toMs }) => {
      const [from, to] = [iso(fromMs), iso(toMs)];
      return from === undefined && to === undefined ? text : { [KEYS[list]]: text, from, to };
    });
  };
  const document = {
    sponsors: ['s0', 's1'].map((id) => ({ id, name: id, currency: 'EUR', creditLimit: '1' })),
    applications: match.map((policy, i) => ({
      ...{ id: `a${i}`, sponsor: `s${i % 2}`, match: policy },
      ...Object.fromEntries((Object.keys(KEYS) as (keyof typeof KEYS)[]).map((list) => [list, written(list, i)])),
    })),
    plans: match.map((_, i) => ({
      ...{ id: `p${i}`, application: `a${i}`, version: 1, period: 'month', timeZone: 'UTC', quotaOctets: null },
      ...{ effectiveFrom: '2020-01-01T00:00:00Z', effectiveTo: null, content: { unknown: 10_000 } },
      tiers: [{ upToOctets: null, pricePerMiB: '1' }],
    })),
  };
  const { catalogue, faults } = parseCatalogue(JSON.stringify(document), 'drawn.yaml');
  if (catalogue === undefined) throw new Error(faults.map(formatFault).join('\n'));
  return catalogue;
}

const records = fc.array(
  fc.record({
    startTime: fc.constantFrom(...TIMES),
    remoteIp: fc.constantFrom(...ADDRESSES),
    zeroRatingTag: fc.constantFrom(null, null, ...TAGS, 'unclaimed'),
    sponsorIdentity: fc.constantFrom(null, null, ...IDENTITIES, 'unclaimed'),
    applicationServiceProviderIdentity: fc.constantFrom(null, null, ...IDENTITIES, 'unclaimed'),
  }),
  { minLength: 30, maxLength: 60 },
);

/** The plain reference: reads every claim, one after the other. Gives an application, or -1. */
function ownerOf(claims: readonly PlainClaim[], text: string | null, timeMs: number): number {
  return claims.find((claim) => claim.text === text && claim.fromMs <= timeMs && timeMs < claim.toMs)?.owner ?? -1;
}

function ownerOfAddress(claims: readonly PlainClaim[], address: string, timeMs: number): number {
  let [owner, longest] = [-1, -1];
  for (const claim of claims) {
    const length = lengthWithin(claim.text, address);
    if (length > longest && claim.fromMs <= timeMs && timeMs < claim.toMs) [owner, longest] = [claim.owner, length];
  }
  return owner;
}

/** The prefix's length, of 128 bits, where it holds the address, else -1: bit by bit. */
function lengthWithin(cidr: string, address: string): number {
  const [network, digits] = cidr.split('/');
  const length = Number(digits) + (network.includes(':') ? 0 : 96);
  return bitsOf(network).slice(0, length) === bitsOf(address).slice(0, length) ? length : -1;
}

const knownBits = new Map<string, string>();

/** An address as 128 digits, by the rules of URLs; IPv4 as ::ffff:0:0/96. */
function bitsOf(address: string): string {
  const known = knownBits.get(address);
  if (known !== undefined) return known;
  const { hostname } = new URL(`http://[${address.includes(':') ? address : `::ffff:${address}`}]/`);
  const parts = hostname.slice(1, -1).split('::');
  const [head, tail = []] = parts.map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array(parts.length === 1 ? 0 : 8 - head.length - tail.length).fill('0'), ...tail];
  const bits = groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
  knownBits.set(address, bits);
  return bits;
}

/** What the batch says of each record's evidence: by the tag, the identities, the prefix, and what follows from them. */
function foundBy(batch: FlowBatch, { evidence, catalogue }: Rules) {
  return Array.from({ length: batch.count }, (_, row) => ({
    byTag: evidence.applicationOfTag(batch, row),
    byIdentities: Math.max(-1, batch.cdrApplication[row]),
    byPrefix: batch.prefixApplication[row],
    application: catalogue.applications[batch.application[row]]?.id ?? '',
    // Undecided: it has a plan.
    said: REASONS[batch.reason[row]]?.reason ?? EVIDENCES[batch.evidence[row]],
  }));
}

const withoutKernel: Decoder = (value) => decodeJson(value);

test('tags, identities and nested prefixes with dates: engine, reference and second computation agree', () => {
  const seed = Number(process.env.EVIDENCE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`drawn with EVIDENCE_FUZZ_SEED=${seed}\n`);
  const met = new Map<Reason | (typeof EVIDENCES)[number], number>();
  fc.assert(
    fc.property(evidence, records, (drawn, fields) => {
      const catalogue = catalogueOf(drawn);
      const rules = new Rules(catalogue);
      const all: FlowRecord[] = fields.map((each, localSequenceNumber) =>
        testRecord({ ...each, endTime: each.startTime, localSequenceNumber }),
      );
      const values = all.map(asValue);
      const found = foundBy(classifyValues(values, testLane(), rules), rules);
      expect(foundBy(classifyValues(values, testLane(), rules, withoutKernel), rules)).toEqual(found);
      expect(values.some((value) => isReadByKernel(decodeJson, value))).toBe(true);

      const second = secondRules(catalogue.canonicalJson, NO_FACTS);
      const sponsorOf = (application: number) => application % 2;
      for (const [row, record] of all.entries()) {
        const { startTime, remoteIp, zeroRatingTag, sponsorIdentity, applicationServiceProviderIdentity } = record;
        const byAsp = ownerOf(drawn.aspIdentities, applicationServiceProviderIdentity, startTime);
        const bySponsor = ownerOf(drawn.sponsorIdentities, sponsorIdentity, startTime);
        const areTwo = byAsp >= 0 && bySponsor >= 0 && sponsorOf(byAsp) !== sponsorOf(bySponsor);
        expect(found[row]).toMatchObject({
          byTag: ownerOf(drawn.tags, zeroRatingTag, startTime),
          byIdentities: areTwo ? -1 : byAsp >= 0 ? byAsp : bySponsor,
          byPrefix: ownerOfAddress(drawn.prefixes, remoteIp, startTime),
        });
        const recognised = recognise(second, record);
        const said = recognised.reason ?? (recognised.evidence as (typeof EVIDENCES)[number]);
        expect(found[row]).toMatchObject({ application: recognised.application?.id ?? '', said });
        met.set(said, (met.get(said) ?? 0) + 1);
      }
    }),
    { numRuns: Number(process.env.EVIDENCE_FUZZ_RUNS ?? 200), seed },
  );
  const unmet = [
    ...['no_evidence', 'unknown_tag', 'unknown_identity', 'evidence_conflict', 'tag_missing', 'identity_missing'],
    ...['prefix_missing', 'tag', 'ip', 'cdr', 'tag+ip', 'tag+cdr', 'cdr+ip', 'tag+cdr+ip'],
  ].filter((each) => !met.has(each as Reason));
  expect(unmet, 'outcomes that the drawn records should have').toEqual([]);
});
