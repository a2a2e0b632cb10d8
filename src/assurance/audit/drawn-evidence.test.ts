import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { type Decoder, EVIDENCES, type FlowBatch, type FlowRecord } from '../../rating/flow-record.ts';
import { isReadByKernel } from '../../rating/kernel/kernel.fixture.ts';
import { REASONS, type Reason } from '../../rating/outcome.ts';
import { NO_FACTS, Rules } from '../../rating/rules.ts';
import { asValue, classifyValues, testLane, testRecord } from '../../rating/traffic.fixture.ts';
import {
  ADDRESSES,
  catalogueOf,
  DETECTED_BY,
  DETECTED_NAMES,
  evidence,
  IDENTITIES,
  ownerOfDetection,
  ownerOfService,
  type PlainClaim,
  PORTS,
  PROTOCOLS,
  RATING_GROUPS,
  SERVICE_IDENTIFIERS,
  TAGS,
  TIMES,
} from './drawn-evidence.fixture.ts';
import { recognise } from './second-evidence.ts';
import { secondRules } from './second-rules.ts';

const records = fc.array(
  fc.record({
    startTime: fc.constantFrom(...TIMES),
    remoteIp: fc.constantFrom(...ADDRESSES),
    protocol: fc.constantFrom(...PROTOCOLS),
    remotePort: fc.constantFrom(...PORTS),
    ratingGroup: fc.constantFrom(...RATING_GROUPS),
    serviceIdentifier: fc.constantFrom(...SERVICE_IDENTIFIERS),
    detectedApplication: fc.constantFrom(...DETECTED_NAMES),
    detectedBy: fc.constantFrom(...DETECTED_BY),
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

function ownerOfAddress(claims: readonly PlainClaim[], record: FlowRecord): number {
  const { remoteIp, startTime, protocol, remotePort } = record;
  let [owner, longest] = [-1, -1];
  for (const claim of claims) {
    const length = lengthWithin(claim.text, remoteIp);
    const holds = claim.fromMs <= startTime && startTime < claim.toMs && claim.flow.isOf(protocol, remotePort);
    if (length > longest && holds) [owner, longest] = [claim.owner, length];
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

/** What the batch says of each record's evidence: by the tag, the CDR, the prefix, the gateway's detection, and what follows from them. */
function foundBy(batch: FlowBatch, { evidence, catalogue }: Rules) {
  return Array.from({ length: batch.count }, (_, row) => ({
    byTag: evidence.applicationOfTag(batch, row),
    byCdr: Math.max(-1, batch.cdrApplication[row]),
    byPrefix: batch.prefixApplication[row],
    byDetection: batch.detectedApplication[row],
    application: catalogue.applications[batch.application[row]]?.id ?? '',
    // Undecided: it has a plan.
    said: REASONS[batch.reason[row]]?.reason ?? EVIDENCES[batch.evidence[row]],
  }));
}

const withoutKernel: Decoder = (value) => decodeJson(value);

test('tags, identities, rating groups and nested prefixes, with dates, protocols and ports: engine, reference and second computation agree', () => {
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
        const { startTime, zeroRatingTag, sponsorIdentity, applicationServiceProviderIdentity } = record;
        const byAsp = ownerOf(drawn.aspIdentities, applicationServiceProviderIdentity, startTime);
        const bySponsor = ownerOf(drawn.sponsorIdentities, sponsorIdentity, startTime);
        const areTwo = byAsp >= 0 && bySponsor >= 0 && sponsorOf(byAsp) !== sponsorOf(bySponsor);
        const byIdentities = byAsp >= 0 ? byAsp : bySponsor;
        const byService = ownerOfService(drawn.services, record);
        const differ = byIdentities >= 0 && byService >= 0 && byIdentities !== byService;
        expect(found[row]).toMatchObject({
          byTag: ownerOf(drawn.tags, zeroRatingTag, startTime),
          byCdr: areTwo || differ ? -1 : byIdentities >= 0 ? byIdentities : byService,
          byDetection: ownerOfDetection(drawn.detections, record),
          byPrefix: ownerOfAddress(drawn.prefixes, record),
        });
        const recognised = recognise(second, record);
        const said = recognised.reason ?? (recognised.evidence as (typeof EVIDENCES)[number]);
        expect(found[row]).toMatchObject({ application: recognised.application?.id ?? '', said });
        met.set(said, (met.get(said) ?? 0) + 1);
      }
    }),
    { numRuns: Number(process.env.EVIDENCE_FUZZ_RUNS ?? 100), seed },
  );
  const unmet = [
    ...['no_evidence', 'unknown_tag', 'unknown_identity', 'evidence_conflict', 'tag_missing', 'identity_missing'],
    ...[
      'detected_only',
      'detection_missing',
      'prefix_missing',
      'tag',
      'ip',
      'cdr',
      'tag+ip',
      'tag+cdr',
      'cdr+ip',
      'tag+cdr+ip',
    ],
  ].filter((each) => !met.has(each as Reason));
  expect(unmet, 'outcomes that the drawn records should have').toEqual([]);
}, 300_000);
