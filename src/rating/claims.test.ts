import { describe, expect, test } from 'vitest';
import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import { ClaimChains, ClaimChainWriter, NO_OWNER } from './claims.ts';
import { BY_CDR, BY_IP, BY_TAG, FlowBatch, type FlowRecord } from './flow-record.ts';
import { Rules } from './rules.ts';
import { asValue, rateValues, testLane, testRecord } from './traffic.fixture.ts';

const UDP = { protocol: 17, ports: [] };
const claim = (fromMs: number, toMs: number) => ({ text: 'x', fromMs, toMs });

/** The applications that an owner is at the times 0 to 4. */
function applicationsOf(writer: ClaimChainWriter, owner: number): number[] {
  const chains = new ClaimChains(writer.take());
  const batch = new FlowBatch(5);
  batch.startTimeMs.set([0, 1, 2, 3, 4]);
  return [0, 1, 2, 3, 4].map((row) => chains.applicationOf(owner, batch, row));
}

describe('the owner of what is claimed', () => {
  test('without dates is the application, whatever is around it', () => {
    const writer = new ClaimChainWriter();
    expect(writer.ownerOf(7, undefined, writer.ownerOf(3, claim(1, 2), 5))).toBe(7);
  });

  test('with dates is the application from the first instant on and before the last, and else what is around it', () => {
    const writer = new ClaimChainWriter();
    expect(applicationsOf(writer, writer.ownerOf(7, claim(1, 3), 5))).toEqual([5, 7, 7, 5, 5]);
    expect(applicationsOf(writer, writer.ownerOf(7, claim(1, Number.POSITIVE_INFINITY), NO_OWNER))).toEqual([
      -1, 7, 7, 7, 7,
    ]);
  });

  test('is the first of a chain that holds', () => {
    const writer = new ClaimChainWriter();
    const outer = writer.ownerOf(1, claim(Number.NEGATIVE_INFINITY, 4), NO_OWNER);
    const inner = writer.ownerOf(3, claim(2, 3), writer.ownerOf(2, claim(1, 2), outer));
    expect(applicationsOf(writer, inner)).toEqual([1, 2, 3, 1, -1]);
  });

  test('is the same for the same claims, and another where anything differs', () => {
    const writer = new ClaimChainWriter();
    const first = writer.ownerOf(7, claim(1, 3), 5);
    const same = writer.ownerOf(7, { ...claim(1, 3), text: 'y' }, 5);
    const others = [
      writer.ownerOf(8, claim(1, 3), 5),
      writer.ownerOf(7, claim(0, 3), 5),
      writer.ownerOf(7, claim(1, 4), 5),
      writer.ownerOf(7, claim(1, 3), 6),
    ];
    expect(same).toBe(first);
    expect(new Set([first, ...others]).size).toBe(5);
    expect(writer.take()).toHaveLength(5 * 7);
  });

  test('with a protocol and ports is the application for each of the ports, and else what is around it', () => {
    const writer = new ClaimChainWriter();
    const flow = {
      protocol: 6,
      ports: [
        { first: 1, last: 2 },
        { first: 4, last: 4 },
      ],
    };
    const owner = writer.ownerOf(7, { ...claim(0, 3), flow }, writer.ownerOf(8, { ...claim(0, 9), flow: UDP }, 5));
    const chains = new ClaimChains(writer.take());
    const batch = new FlowBatch(1);
    const applicationOf = (startTimeMs: number, protocol: number, port: number) => {
      batch.startTimeMs[0] = startTimeMs;
      batch.protocol[0] = protocol;
      batch.remotePort[0] = port;
      return chains.applicationOf(owner, batch, 0);
    };
    expect([0, 1, 2, 3, 4, 5].map((port) => applicationOf(2, 6, port))).toEqual([5, 7, 7, 5, 7, 5]);
    expect([0, 1, 65_535].map((port) => applicationOf(2, 17, port))).toEqual([8, 8, 8]);
    expect([applicationOf(3, 6, 1), applicationOf(3, 17, 1), applicationOf(9, 17, 1)]).toEqual([5, 8, 5]);
  });

  test('is resolved for the rows of a batch, those before it are left', () => {
    const writer = new ClaimChainWriter();
    const owner = writer.ownerOf(7, claim(1, 3), 5);
    const batch = new FlowBatch(4);
    batch.count = 3;
    batch.startTimeMs.set([0, 1, 2, 2]);
    const owners = Int32Array.of(owner, owner, 9, owner);
    new ClaimChains(writer.take()).resolve(owners, batch);
    expect([...owners]).toEqual([5, 7, 9, owner]);
  });
});

const [MARCH, JUNE] = ['2026-03-01T00:00:00Z', '2026-06-01T00:00:00Z'];
const { catalogue } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }, { id: t, name: T, currency: USD, creditLimit: "10" }]
applications:
  - id: chat
    sponsor: s
    tags: [{ tag: CHAT, to: ${MARCH} }, { tag: CHAT, from: ${JUNE} }]
    aspIdentities: [{ identity: asp, from: ${MARCH} }]
    sponsorIdentities: [pays]
  - { id: call, sponsor: t, tags: [{ tag: CHAT, from: ${MARCH}, to: ${JUNE} }], sponsorIdentities: [{ identity: other, to: ${JUNE} }] }
plans: []
`,
  'claims.yaml',
);

test.each<[string, string, Partial<FlowRecord>, string, number]>([
  ['a tag before it passes on', '2026-02-28T23:59:59.999Z', { zeroRatingTag: 'CHAT' }, 'no_plan', 0],
  ['a tag at that instant', MARCH, { zeroRatingTag: 'CHAT' }, 'no_plan', 1],
  ['a tag at the instant at which it comes back', JUNE, { zeroRatingTag: 'CHAT' }, 'no_plan', 0],
  ['an identity at its first instant', MARCH, { applicationServiceProviderIdentity: 'asp' }, 'no_plan', 0],
  [
    'an identity a millisecond before',
    '2026-02-28T23:59:59.999Z',
    { applicationServiceProviderIdentity: 'asp' },
    'unknown_identity',
    -1,
  ],
  [
    'the sponsor identity while the ASP identity is not in force',
    '2026-02-01T00:00:00Z',
    { applicationServiceProviderIdentity: 'asp', sponsorIdentity: 'other' },
    'no_plan',
    1,
  ],
  [
    'identities of two sponsors while both are in force',
    MARCH,
    { applicationServiceProviderIdentity: 'asp', sponsorIdentity: 'other' },
    'evidence_conflict',
    -1,
  ],
  [
    'the ASP identity once the other sponsor’s has ended',
    JUNE,
    { applicationServiceProviderIdentity: 'asp', sponsorIdentity: 'other' },
    'no_plan',
    0,
  ],
])('%s', (_, start, fields, reason, application) => {
  if (catalogue === undefined) throw new Error('the catalogue has faults');
  const startTime = Date.parse(start);
  const value = asValue(testRecord({ remoteIp: '8.8.8.8', startTime, endTime: startTime, ...fields }));
  const { rated } = rateValues([value], testLane(), new Rules(catalogue));
  expect(rated).toMatchObject([{ reason, application }]);
});

const { catalogue: services } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }, { id: t, name: T, currency: USD, creditLimit: "10" }]
applications:
  - { id: all, sponsor: s, ratingGroups: [1001, { ratingGroup: 1002, to: ${MARCH} }], prefixes: [198.51.100.0/24] }
  - { id: one, sponsor: t, match: cdr, ratingGroups: [{ ratingGroup: 1001, serviceIdentifier: 7, from: ${MARCH} }], serviceIdentifiers: [8], aspIdentities: [asp] }
  - { id: asks, sponsor: t, match: cdr, prefixes: [192.0.2.0/24] }
plans: []
`,
  'services.yaml',
);
const [BEFORE, OTHER] = [Date.parse(MARCH) - 1, '8.8.8.8'];

test.each<[string, Partial<FlowRecord>, string, number]>([
  ['a rating group', { ratingGroup: 1001 }, 'no_plan', 0],
  ['a service identifier within it that is another’s', { ratingGroup: 1001, serviceIdentifier: 7 }, 'no_plan', 1],
  ['the same before that is in force', { ratingGroup: 1001, serviceIdentifier: 7, startTime: BEFORE }, 'no_plan', 0],
  ['a service identifier above a rating group', { ratingGroup: 1001, serviceIdentifier: 8 }, 'no_plan', 1],
  ['a service identifier without a rating group', { serviceIdentifier: 8 }, 'no_plan', 1],
  ['a rating group that has ended', { ratingGroup: 1002 }, 'no_evidence', -1],
  ['a rating group before its end', { ratingGroup: 1002, startTime: BEFORE }, 'no_plan', 0],
  [
    'a rating group that no application claims: ordinary traffic',
    { ratingGroup: 1, serviceIdentifier: 1 },
    'no_evidence',
    -1,
  ],
  ['such a rating group, and a tag that none claims', { ratingGroup: 1, zeroRatingTag: 'x' }, 'unknown_tag', -1],
  [
    'such a rating group, and an identity that none claims',
    { ratingGroup: 1, sponsorIdentity: 'x' },
    'unknown_identity',
    -1,
  ],
  ['a rating group beside an identity that none claims', { ratingGroup: 1001, sponsorIdentity: 'x' }, 'no_plan', 0],
  [
    'a rating group and an identity of one',
    { serviceIdentifier: 8, applicationServiceProviderIdentity: 'asp' },
    'no_plan',
    1,
  ],
  [
    'a rating group and an identity of two',
    { ratingGroup: 1001, applicationServiceProviderIdentity: 'asp' },
    'evidence_conflict',
    -1,
  ],
  ['a rating group and an address of one', { ratingGroup: 1001, remoteIp: '198.51.100.1' }, 'no_plan', 0],
  ['a rating group and an address of two', { serviceIdentifier: 8, remoteIp: '198.51.100.1' }, 'evidence_conflict', -1],
  ['an address that needs what the CDR names', { remoteIp: '192.0.2.1' }, 'identity_missing', 2],
])('services in CDRs: %s', (_, fields, reason, application) => {
  if (services === undefined) throw new Error('the catalogue has faults');
  const startTime = fields.startTime ?? Date.parse(MARCH);
  const value = asValue(testRecord({ remoteIp: OTHER, ...fields, startTime, endTime: startTime }));
  const { rated, batch } = rateValues([value], testLane(), new Rules(services));
  expect(rated).toMatchObject([{ reason, application }]);
  if (reason === 'no_plan')
    expect(batch.evidence[0]).toBe(fields.remoteIp === '198.51.100.1' ? BY_CDR | BY_IP : BY_CDR);
});

const { catalogue: detections } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }]
applications:
  - { id: any, sponsor: s, prefixes: [198.51.100.0/24], detectedNames: [chat, { name: by-name, by: [sni, dns], from: ${MARCH} }] }
  - { id: both, sponsor: s, match: detected, prefixes: [192.0.2.0/24], tags: [T], detectedNames: [video] }
  - { id: alone, sponsor: s, detection: alone, detectedNames: [music] }
  - { id: asks, sponsor: s, match: ip, detection: alone, prefixes: [203.0.113.0/24], detectedNames: [games] }
plans: []
`,
  'detections.yaml',
);

test.each<[string, Partial<FlowRecord>, string, number, number]>([
  ['a detection alone is none', { detectedApplication: 'chat', detectedBy: 'sni' }, 'detected_only', 0, 0],
  ['also beside a tag that none claims', { detectedApplication: 'chat', zeroRatingTag: 'x' }, 'detected_only', 0, 0],
  ['a detection alone, where the catalogue takes it', { detectedApplication: 'music' }, 'no_plan', 2, BY_CDR],
  ['the same, where the policy asks for an address', { detectedApplication: 'games' }, 'prefix_missing', 3, BY_CDR],
  ['an address with its detection', { remoteIp: '198.51.100.1', detectedApplication: 'chat' }, 'no_plan', 0, BY_IP],
  [
    'an address with another one',
    { remoteIp: '198.51.100.1', detectedApplication: 'video' },
    'evidence_conflict',
    -1,
    BY_IP,
  ],
  [
    'an address with one that no application claims',
    { remoteIp: '198.51.100.1', detectedApplication: 'x' },
    'no_plan',
    0,
    BY_IP,
  ],
  ['a policy that asks for a detection, without', { remoteIp: '192.0.2.1' }, 'detection_missing', 1, BY_IP],
  ['the same, with', { remoteIp: '192.0.2.1', detectedApplication: 'video' }, 'no_plan', 1, BY_IP],
  [
    'the same, with a tag',
    { zeroRatingTag: 'T', detectedApplication: 'video', detectedBy: 'dpi' },
    'no_plan',
    1,
    BY_TAG,
  ],
  ['the same, by a detection alone', { detectedApplication: 'video' }, 'detected_only', 1, 0],
  ['a way that counts', { detectedApplication: 'by-name', detectedBy: 'dns' }, 'detected_only', 0, 0],
  ['a way that does not', { detectedApplication: 'by-name', detectedBy: 'dpi' }, 'no_evidence', -1, 0],
  ['no way, where one is asked for', { detectedApplication: 'by-name' }, 'no_evidence', -1, 0],
  [
    'a name before it is in force',
    { detectedApplication: 'by-name', detectedBy: 'sni', startTime: BEFORE },
    'no_evidence',
    -1,
    0,
  ],
  ['a way without a name', { detectedBy: 'sni' }, 'no_evidence', -1, 0],
])('what the gateway detected: %s', (_, fields, reason, application, evidence) => {
  if (detections === undefined) throw new Error('the catalogue has faults');
  const startTime = fields.startTime ?? Date.parse(MARCH);
  const value = asValue(testRecord({ remoteIp: OTHER, ...fields, startTime, endTime: startTime }));
  const { rated, batch } = rateValues([value], testLane(), new Rules(detections));
  expect(rated).toMatchObject([{ reason, application }]);
  expect(batch.evidence[0]).toBe(evidence);
});

test('a tag that is not in force is unknown, and keeps its name in the leakage', () => {
  if (catalogue === undefined) throw new Error('the catalogue has faults');
  const rules = new Rules({
    ...catalogue,
    applications: catalogue.applications.map((application) => ({ ...application, tags: [claim(1, 2)] })).slice(0, 1),
  });
  const { rated, batch } = rateValues(
    [asValue(testRecord({ remoteIp: '8.8.8.8', zeroRatingTag: 'x' }))],
    testLane(),
    rules,
  );
  expect(rated).toMatchObject([{ reason: 'unknown_tag', application: -1 }]);
  expect(rules.evidence.tags.at(batch.tag[0])).toBe('x');
});
