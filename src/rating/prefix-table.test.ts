import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Claim, ClaimChains, isInForce } from './claims.ts';
import { PrefixTable } from './classify.ts';
import { FlowBatch } from './flow-record.ts';
import { formatCidr, networkOf, parseCidr, parseIp } from './ip-address.ts';
import { wordMaps } from './word-maps.ts';

type Words = readonly number[];

/** Few distinct bits, so that prefixes nest, touch and repeat; and values side by side, more than a slice may hold. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xc0000000, 0xfffffffe, 0xffffffff),
  fc.tuple(fc.constantFrom(0x0a000000, 0xc0000000, 0xffffff80), fc.nat(127)).map(([base, place]) => base + place),
);
const v4 = word.map((last) => [0, 0, 0xffff, last]);
const v6 = fc.tuple(fc.oneof(fc.constantFrom(0, 0x20010db8, 0xfe800000, 0xffffffff), word), word, word, word);
const prefix = fc.oneof(
  fc.tuple(v4, fc.oneof(fc.integer({ min: 96, max: 128 }), fc.integer({ min: 124, max: 128 }))),
  fc.tuple(v6, fc.oneof(fc.integer({ min: 0, max: 128 }), fc.constantFrom(31, 32, 33, 63, 64, 65, 96, 128))),
);

function applicationsOf(table: PrefixTable, addresses: readonly Words[]): number[] {
  const applications = new Int32Array(addresses.length);
  table.ownersOf(Uint32Array.from(addresses.flat()), addresses.length, applications);
  return [...applications];
}

/** Distinct prefixes in the order given: the place is the application. */
function tableOf(cidrs: readonly string[]): PrefixTable {
  return new PrefixTable(wordMaps(cidrs.map((cidr, application) => ({ cidr, application }))));
}

/** The plain reference: asks for every length that there is, the longest first. */
function reference(cidrs: readonly string[]): (address: Words) => number {
  const applications = new Map(cidrs.map((cidr, application) => [cidr, application]));
  const lengths = [...new Set(cidrs.map((cidr) => parseCidr(cidr)?.length ?? -1))].sort((a, b) => b - a);
  return (address) => {
    const words = Uint32Array.from(address);
    for (const length of lengths) {
      const application = applications.get(formatCidr(networkOf({ words, length })));
      if (application !== undefined) return application;
    }
    return -1;
  };
}

/** The prefix's first and last address, and their neighbours outside. */
function edges(cidr: string): Words[] {
  const { words, length } = parseCidr(cidr) ?? { words: [], length: 0 };
  const first = [...words].reduce((value, word) => (value << 32n) | BigInt(word), 0n);
  const end = first + (1n << BigInt(128 - length));
  return [first - 1n, first, end - 1n, end].map((address) =>
    [96n, 64n, 32n, 0n].map((shift) => Number((BigInt.asUintN(128, address) >> shift) & 0xffffffffn)),
  );
}

test('the longest prefix wins, as asking for every length says: inside, outside, and at the edges', () => {
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 150, size: 'max' }), fc.array(fc.oneof(v4, v6)), (drawn, addresses) => {
      const cidrs = [
        ...new Set(drawn.map(([words, length]) => formatCidr(networkOf({ words: Uint32Array.from(words), length })))),
      ];
      const asked = [...addresses, ...cidrs.flatMap(edges)];
      expect(applicationsOf(tableOf(cidrs), asked)).toEqual(asked.map(reference(cidrs)));
    }),
    { numRuns: 300 },
  );
});

/** Claims of some of the prefixes for a few hours each; the place in the list is the application. */
function applicationsAt(claims: readonly Claim[], asked: readonly Words[], timeMs: number): number[] {
  const maps = wordMaps(claims.map((claim, application) => ({ cidr: claim, application })));
  const batch = new FlowBatch(asked.length);
  batch.count = asked.length;
  batch.startTimeMs.fill(timeMs);
  new PrefixTable(maps).ownersOf(Uint32Array.from(asked.flat()), asked.length, batch.prefixApplication);
  new ClaimChains(maps.chains).resolve(batch.prefixApplication, batch);
  return [...batch.prefixApplication];
}

/** The reference for those in force at the time, by their places in the list of all. */
function referenceAt(claims: readonly Claim[], timeMs: number): (address: Words) => number {
  const inForce = [...claims.keys()].filter((application) => isInForce(claims[application], timeMs));
  const find = reference(inForce.map((application) => claims[application].text));
  return (address) => inForce[find(address)] ?? -1;
}

test('the longest prefix in force wins at every time, inside, outside, and at the edges', () => {
  const claim = fc.tuple(prefix, fc.nat(3), fc.nat(3)).map(([[words, length], from, hours]) => ({
    text: formatCidr(networkOf({ words: Uint32Array.from(words), length })),
    fromMs: from,
    toMs: from + hours + 1,
  }));
  // Claims of one prefix do not overlap: these are hours apart where they would.
  const claims = fc.array(claim, { maxLength: 150, size: 'max' }).map((drawn) => {
    const ends = new Map<string, number>();
    return drawn.map(({ text, fromMs, toMs }) => {
      const later = Math.max(0, (ends.get(text) ?? 0) - fromMs);
      ends.set(text, toMs + later);
      return { text, fromMs: fromMs + later, toMs: toMs + later };
    });
  });
  fc.assert(
    fc.property(claims, fc.array(fc.oneof(v4, v6)), fc.integer({ min: -1, max: 12 }), (all, addresses, timeMs) => {
      const asked = [...addresses, ...all.flatMap(({ text }) => edges(text))];
      expect(applicationsAt(all, asked, timeMs)).toEqual(asked.map(referenceAt(all, timeMs)));
    }),
    { numRuns: 300 },
  );
});

test.each<[string, (place: number) => string]>([
  ['side by side', (place) => `10.${place >> 8}.${place & 255}.0/24`],
  ['alone in their neighbourhood', (place) => `${place >> 5}.${(place & 31) * 8}.77.128/25`],
  ['in clusters far apart', (place) => `${(place % 3) * 90}.1.${place >> 8}.${place & 255}/32`],
  ['each in a longer one', (place) => `172.16.0.0/${place % 33}`],
  ['IPv6, behind one another', (place) => `2001:db8:${(place >> 6).toString(16)}:${(place & 63).toString(16)}::/64`],
  ['IPv6, in clusters', (place) => `${['2001', '2a00', '2a01'][place % 3]}:${place.toString(16)}::/32`],
  ['IPv6, of every length', (place) => `2001:db8:${place.toString(16)}::/${48 + (place % 81)}`],
])('a few thousand prefixes %s', (_, cidrAt) => {
  const cidrs = [...new Set(Array.from({ length: 4000 }, (_, place) => canonical(cidrAt(place))))];
  const asked = cidrs.flatMap(edges);
  expect(applicationsOf(tableOf(cidrs), asked)).toEqual(asked.map(reference(cidrs)));
  // Every other one in force for an hour only, and replaced by another application for the next.
  const dated = cidrs.flatMap((text, place) =>
    place % 2 === 0
      ? [{ text, fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }]
      : [1, 2].map((hour) => ({ text, fromMs: hour, toMs: hour + 1 })),
  );
  const some = asked.filter((_, place) => place % 13 === 0);
  for (const timeMs of [0, 1, 2, 3]) {
    expect(applicationsAt(dated, some, timeMs)).toEqual(some.map(referenceAt(dated, timeMs)));
  }
});

function canonical(cidr: string): string {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new TypeError(cidr);
  return formatCidr(networkOf(parsed));
}

function addressOf(text: string): Words {
  const words = new Uint32Array(4);
  expect(parseIp(text, words, 0)).toBe(true);
  return [...words];
}

test.each<[string, number]>([
  ['10.0.0.0', 0],
  ['9.255.255.255', -1],
  ['10.1.2.3', 1],
  ['10.255.255.255', 0],
  ['11.0.0.0', 2],
  ['255.255.255.255', 3],
  ['2001:db8::1', 4],
  ['2001:db9::', -1],
  ['::ffff:10.1.2.3', 1],
])('%s', (text, expected) => {
  const cidrs = ['10.0.0.0/8', '10.1.0.0/16', '11.0.0.0/8', '255.255.255.255/32', '2001:db8::/32'];
  expect(applicationsOf(tableOf(cidrs), [addressOf(text)])).toEqual([expected]);
});

test('no prefixes at all: no application', () => {
  expect(applicationsOf(tableOf([]), [addressOf('1.2.3.4'), addressOf('2001:db8::1')])).toEqual([-1, -1]);
});

test('addresses of many rows are distinguished, and no more than asked for are answered', () => {
  const table = tableOf(['10.0.0.0/8', '2001:db8::/32']);
  const rows = Array.from({ length: 1000 }, (_, row) => addressOf(['10.1.1.1', '2001:db8::1', '8.8.8.8'][row % 3]));
  expect(applicationsOf(table, rows)).toEqual(rows.map((_, row) => [0, 1, -1][row % 3]));
  const applications = new Int32Array(2).fill(7);
  table.ownersOf(Uint32Array.from(rows.flat()), 1, applications);
  expect([...applications]).toEqual([0, 7]);
});

test('what is no prefix is a bug of the caller', () => {
  expect(() => tableOf(['10.0.0.0'])).toThrow(new TypeError('not a prefix: 10.0.0.0'));
});

test.each<[string, string, number]>([
  ['0.0.0.0/0', '0.0.0.0', 0],
  ['0.0.0.0/0', '255.255.255.255', 0],
  ['0.0.0.0/0', '::fffe:ffff:ffff', -1], // the last address before IPv4
  ['0.0.0.0/0', '::1:0:0:0', -1], // the first one after it
  ['::/0', '1.2.3.4', 0], // no IPv4 prefix, but one that holds it
  ['::/128', '::', 0],
  ['::/128', '::1', -1],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 0],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', -1],
])('%s and %s', (cidr, text, expected) => {
  expect(applicationsOf(tableOf([cidr]), [addressOf(text)])).toEqual([expected]);
});
