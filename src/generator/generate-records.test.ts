import { createHash } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortestMs } from '../rating/catalogue/large-catalogue.fixture.ts';
import type { FlowRecord } from '../rating/flow-record.ts';
import { validateFlowRecord } from '../rating/record/validate.ts';
import type { GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import type { GeneratedRecord } from './generated-record.ts';
import { takeRecords } from './take-records.ts';

const TARGETS = [
  { tags: ['CHAT', 'CHAT-LITE'], prefixes: ['198.51.100.0/24', '2001:db8:c4a7::/48'] },
  { tags: ['CALL'], prefixes: ['198.51.100.192/26'] },
  { tags: [], prefixes: ['192.0.2.0/24'] },
  { tags: ['PIGEON'], prefixes: [] },
];
const START = Date.UTC(2026, 9, 1);
const END = Date.UTC(2026, 10, 1);
const OPTIONS: GenerateOptions = {
  seed: 20261001,
  records: 20_000,
  subscribers: 1000,
  targets: TARGETS,
  startTimeMs: START,
  endTimeMs: END,
};
const MIXED = { malformed: 0.05, duplicate: 0.05, conflicting: 0.02, late: 0.03 };

function generate(options: Partial<GenerateOptions> = {}) {
  const { records, totals } = takeRecords(generateRecords({ ...OPTIONS, ...options }), Number.POSITIVE_INFINITY);
  return { records, totals: totals! };
}

function digest(options: Partial<GenerateOptions>): string {
  const { records, totals } = generate({ records: 200, oversizedOctets: 1024, ...MIXED, ...options });
  return createHash('sha256').update(JSON.stringify({ records, totals })).digest('hex');
}

const isValid = (generated: GeneratedRecord) => generated.kind === 'usual' || generated.kind === 'late';
const validOf = (records: GeneratedRecord[]) => records.filter(isValid);
const identityOf = ({ nodeId, localSequenceNumber }: FlowRecord) => `${nodeId} ${localSequenceNumber}`;

test('the same options give the same records, another seed gives others', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      expect(digest({ seed })).toBe(digest({ seed }));
      expect(digest({ seed: seed + 1 })).not.toBe(digest({ seed }));
    }),
    { numRuns: 20 },
  );
});

test('the totals equal the generated records', () => {
  const { records, totals } = generate(MIXED);
  const kinds = (kind: string) => records.filter((generated) => generated.kind === kind).length;
  const valid = validOf(records);
  const evidence = (word: string) => valid.filter((made) => 'evidence' in made && made.evidence === word).length;
  const octets = (field: 'uplinkOctets' | 'downlinkOctets') =>
    valid.reduce((sum, made) => sum + ('record' in made ? made.record[field] : 0), 0);
  expect(totals).toMatchObject({
    records: 20_000,
    valid: valid.length,
    malformed: kinds('malformed'),
    duplicates: kinds('duplicate'),
    conflicting: kinds('conflicting'),
    late: kinds('late'),
    tagged: evidence('tagged'),
    ipMatched: evidence('ipMatched'),
    identified: evidence('identified'),
    tagAndIp: evidence('tagAndIp'),
    unmatched: evidence('unmatched'),
    uplinkOctets: octets('uplinkOctets'),
    downlinkOctets: octets('downlinkOctets'),
  });
  expect(totals.records).toBe(totals.valid + totals.malformed + totals.duplicates + totals.conflicting);
  expect(totals.valid).toBe(totals.tagged + totals.ipMatched + totals.identified + totals.tagAndIp + totals.unmatched);
  expect(Object.values(totals.malformedBy).reduce((sum, count) => sum + count)).toBe(totals.malformed);
});

test('the proportions are the requested ones', () => {
  const { totals } = generate({ ...MIXED, tagged: 0.4, ipMatched: 0.3, unmatched: 0.2 });
  const part = (count: number, of: number) => Math.abs(count / of);
  expect(part(totals.malformed, totals.records)).toBeCloseTo(0.05, 1.7);
  expect(part(totals.duplicates, totals.records)).toBeCloseTo(0.05, 1.7);
  expect(part(totals.conflicting, totals.records)).toBeCloseTo(0.02, 1.7);
  expect(part(totals.late, totals.records)).toBeCloseTo(0.03, 1.7);
  expect(part(totals.tagged, totals.valid)).toBeCloseTo(0.4, 1.7);
  expect(part(totals.ipMatched, totals.valid)).toBeCloseTo(0.3, 1.7);
  expect(part(totals.tagAndIp, totals.valid)).toBeCloseTo(0.1, 1.7);
});

test('a share of 0 gives no record', () => {
  const { totals } = generate({ tagged: 0.1, ipMatched: 0.2, unmatched: 0.7 });
  expect(totals).toMatchObject({ valid: 20_000, malformed: 0, duplicates: 0, conflicting: 0, late: 0, tagAndIp: 0 });
});

test('records that are not malformed pass the validation', () => {
  for (const generated of generate(MIXED).records) {
    if (generated.kind === 'malformed') continue;
    expect(validateFlowRecord({ ...generated.record })).toEqual(generated.record);
  }
});

test('evidence matches its label, and a nested prefix belongs to the inner application', () => {
  const inside = new BlockList();
  for (const [network, length] of TARGETS.flatMap(({ prefixes }) => prefixes.map((text) => text.split('/')))) {
    inside.addSubnet(network!, Number(length), isIPv6(network!) ? 'ipv6' : 'ipv4');
  }
  const inner = new BlockList();
  inner.addSubnet('198.51.100.192', 26);
  for (const generated of validOf(generate().records)) {
    if (!('evidence' in generated)) throw new Error('a valid record has evidence');
    const { remoteIp, zeroRatingTag, ratingGroup, terminalIp } = generated.record;
    const family = isIPv6(remoteIp) ? 'ipv6' : 'ipv4';
    const hasAddress = inside.check(remoteIp, family);
    const hasTag = TARGETS.some(({ tags }) => tags.includes(zeroRatingTag ?? ''));
    const { evidence } = generated;
    expect(hasAddress).toBe(evidence === 'ipMatched' || evidence === 'tagAndIp');
    expect(hasTag).toBe(evidence === 'tagged' || evidence === 'tagAndIp');
    if (hasAddress) expect(inner.check(remoteIp, family)).toBe(ratingGroup === 101);
    expect(isIPv6(terminalIp)).toBe(isIPv6(remoteIp));
  }
});

test('evidence with dates is that which is in force when the record starts, of late records too', () => {
  const days = (from: number, to: number) => ({ fromMs: START + from * 86_400_000, toMs: START + to * 86_400_000 });
  const always = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
  const claims = [
    { text: 'OLD', ...days(-365, 10) },
    { text: 'NEW', ...days(10, 365) },
    { text: 'ALL', ...always },
    { text: '198.51.100.0/24', ...days(-365, 10) },
    { text: '203.0.113.0/24', ...days(10, 365) },
    { text: '203.0.113.0/25', ...days(20, 21) },
  ];
  const target = (tags: number[], prefixes: number[]) => ({
    tags: tags.map((at) => claims[at]),
    prefixes: prefixes.map((at) => claims[at]),
  });
  const { records } = generate({ targets: [target([0, 1, 2], [3, 4]), target([], [5])], unmatched: 0, late: 0.2 });
  const seen = new Set<string>();
  for (const generated of validOf(records)) {
    if (!('evidence' in generated)) throw new Error('a valid record has evidence');
    const { startTime, remoteIp, zeroRatingTag, ratingGroup } = generated.record;
    const tag = claims.find(({ text }) => text === zeroRatingTag);
    if (tag !== undefined) expect(startTime >= tag.fromMs && startTime < tag.toMs).toBe(true);
    if (tag !== undefined) seen.add(tag.text);
    if (generated.evidence === 'tagged') continue;
    const isNew = startTime >= START + 10 * 86_400_000;
    expect(remoteIp.startsWith(isNew ? '203.0.113.' : '198.51.100.')).toBe(true);
    const isOfSecond =
      startTime >= claims[5].fromMs && startTime < claims[5].toMs && Number(remoteIp.split('.')[3]) < 128;
    if (generated.evidence === 'ipMatched') expect(ratingGroup).toBe(isOfSecond ? 101 : 100);
    if (isOfSecond) seen.add('second');
  }
  expect([...seen].sort()).toEqual(['ALL', 'NEW', 'OLD', 'second']);
});

test('a share that has nothing in force at some time is refused with that time', () => {
  const claim = { text: 'T', fromMs: START, toMs: START + 86_400_000 };
  const targets = [{ tags: [claim], prefixes: [] }];
  const shares = { tagged: 0.8, ipMatched: 0, unmatched: 0.2 };
  expect(() => generate({ targets, ...shares })).toThrow(
    'tagged: no application has a tag at 2026-10-02T00:00:00.000Z; set the share to 0',
  );
  expect(() => generate({ targets, ...shares, endTimeMs: claim.toMs })).not.toThrow();
  expect(() => generate({ targets, ...shares, endTimeMs: claim.toMs, late: 0.1 })).toThrow(
    /no application has a tag at 2026-08/,
  );
});

test('a share of the records has only an identity of the CDR', () => {
  const targets = [
    { tags: [], prefixes: [], aspIdentities: ['asp-1'], sponsorIdentities: ['pays-1', 'pays-2'] },
    { tags: ['T'], prefixes: [] },
  ];
  const shares = { tagged: 0.3, ipMatched: 0, identified: 0.5, unmatched: 0.2 };
  const { records, totals } = generate({ targets, ...shares });
  expect(totals.identified / totals.valid).toBeCloseTo(0.5, 1.7);
  const seen = new Set<string | null>();
  for (const generated of validOf(records)) {
    if (!('evidence' in generated)) throw new Error('a valid record has evidence');
    const { sponsorIdentity, applicationServiceProviderIdentity, zeroRatingTag } = generated.record;
    const identity = sponsorIdentity ?? applicationServiceProviderIdentity;
    expect(identity !== null).toBe(generated.evidence === 'identified');
    if (identity !== null) expect([zeroRatingTag, seen.add(identity).has(identity)]).toEqual([null, true]);
  }
  expect([...seen].filter((identity) => identity !== null).sort()).toEqual(['asp-1', 'pays-1', 'pays-2']);
});

test('each node numbers its records from 1 on, malformed ones included, without a gap', () => {
  const { records } = generate({ ...MIXED, malformations: ['invalid_ip', 'negative_octets'] });
  const last = new Map<string, number>();
  for (const generated of records) {
    if (generated.kind === 'duplicate' || generated.kind === 'conflicting') continue;
    const { nodeId, localSequenceNumber } = generated.kind === 'malformed' ? generated.fields : generated.record;
    expect(localSequenceNumber).toBe((last.get(nodeId as string) ?? 0) + 1);
    last.set(nodeId as string, localSequenceNumber as number);
  }
  expect(last.size).toBe(4);
});

test('gaps come in the requested share', () => {
  const numbers = generate({ gaps: 0.1, nodes: 1 }).records.map((made) => ('record' in made ? made.record : null)!);
  const steps = numbers.slice(1).map((record, at) => record.localSequenceNumber - numbers[at]!.localSequenceNumber);
  expect(new Set(steps)).toEqual(new Set([1, 2, 3, 4]));
  expect(steps.filter((step) => step > 1).length / steps.length).toBeCloseTo(0.1, 1.7);
});

test('a duplicate repeats a record, and a conflicting one its identity, at most a window back', () => {
  const { records } = generate({ duplicate: 0.2, conflicting: 0.1, malformed: 0.1, duplicateWindow: 50 });
  const seen = new Map<string, { record: FlowRecord; place: number }>();
  let farthest = 0;
  for (const [place, generated] of records.entries()) {
    if (generated.kind === 'malformed') continue;
    const { record } = generated;
    const original = seen.get(identityOf(record));
    if (isValid(generated)) {
      expect(original).toBeUndefined();
      seen.set(identityOf(record), { record, place });
      continue;
    }
    farthest = Math.max(farthest, place - original!.place);
    if (generated.kind === 'duplicate') expect(record).toEqual(original!.record);
    else expect({ ...record, downlinkOctets: 0 }).toEqual({ ...original!.record, downlinkOctets: 0 });
    if (generated.kind === 'conflicting') expect(record.downlinkOctets).not.toBe(original!.record.downlinkOctets);
  }
  expect(farthest).toBeGreaterThan(25);
  expect(farthest).toBeLessThanOrEqual(50);
});

test('late usage is of an earlier month, the rest of the span', () => {
  const midMonth = { startTimeMs: START + 40_000_000, endTimeMs: END };
  for (const generated of validOf(generate({ late: 0.1, ...midMonth }).records)) {
    if (!('record' in generated)) continue;
    const { startTime, endTime } = generated.record;
    if (generated.kind === 'late') expect(endTime).toBeLessThan(START);
    else expect(startTime).toBeGreaterThanOrEqual(midMonth.startTimeMs);
    expect(startTime).toBeLessThan(END);
  }
});

test('few subscribers make most of the records, and every subscriber can be drawn', () => {
  const counts = new Map<string, number>();
  for (const generated of generate({ subscribers: 100 }).records) {
    if ('record' in generated)
      counts.set(generated.record.servedMsisdn, (counts.get(generated.record.servedMsisdn) ?? 0) + 1);
  }
  const ordered = [...counts.values()].sort((a, b) => b - a);
  expect(counts.size).toBe(100);
  expect(ordered.slice(0, 20).reduce((sum, count) => sum + count) / 20_000).toBeGreaterThan(0.4);
  for (const msisdn of counts.keys()) expect(msisdn).toMatch(/^999\d{9}$/);
});

test('content types are drawn by weight', () => {
  const { records } = generate({ contentTypes: { video: 1, unknown: 1 } });
  const types = new Set(records.map((generated) => 'record' in generated && generated.record.contentType));
  expect(types).toEqual(new Set(['video', null]));
});

test('a terse record has neither IMSI nor rating group', () => {
  for (const generated of generate({ terse: true, malformed: 0 }).records)
    expect('record' in generated && generated.record).toMatchObject({ servedImsi: null, ratingGroup: null });
});

test.each([
  [{ seed: -1 }, /seed/],
  [{ subscribers: 0 }, /subscribers must be/],
  [{ endTimeMs: START }, /endTimeMs must be/],
  [{ malformed: 1.5 }, /malformed must be a share/],
  [{ tagged: 0.9, ipMatched: 0.9 }, /tagged \+ ipMatched/],
  [{ malformed: 0.6, duplicate: 0.6 }, /malformed \+ duplicate/],
  [{ targets: [] }, /no application has a tag/],
  [{ targets: [{ tags: [], prefixes: ['0.0.0.0/0', '::/0'] }], tagged: 0, ipMatched: 0, unmatched: 1 }, /cover all/],
] as [Partial<GenerateOptions>, RegExp][])('%j is refused', (options, message) => {
  expect(() => generate(options)).toThrow(message);
});

test('a record takes as long with a hundred times the prefixes', () => {
  const msWith = (applications: number) => {
    const targets = Array.from({ length: applications }, (_, i) => ({
      tags: [`tag-${i}`],
      prefixes: [`${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`],
    }));
    const records = generateRecords({ ...OPTIONS, targets });
    takeRecords(records, 1000);
    // As many tries as a busy machine needs to leave one of them alone.
    return shortestMs(() => takeRecords(records, 2000), 25);
  };
  expect(msWith(20_000) / msWith(200)).toBeLessThan(5);
}, 60_000);
