import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCidr, parseIp } from './ip-address.ts';
import { PrefixTable } from './prefix-table.ts';

/** Few distinct bits, so that prefixes nest, touch and repeat. */
const word = fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xc0000000, 0xfffffffe, 0xffffffff);
const v4 = word.map((last) => [0, 0, 0xffff, last]);
const v6 = fc.tuple(fc.constantFrom(0, 0x20010db8, 0xfe800000, 0xffffffff), word, word, word);
const prefix = fc.oneof(
  fc.tuple(v4, fc.integer({ min: 96, max: 128 })),
  fc.tuple(v6, fc.integer({ min: 0, max: 128 })),
);

function masked(words: readonly number[], length: number): Uint32Array {
  return Uint32Array.from(words, (value, at) => {
    const bits = Math.min(32, Math.max(0, length - at * 32));
    return bits === 0 ? 0 : (value & (0xffffffff << (32 - bits))) >>> 0;
  });
}

test('the longest prefix wins, as a scan over all of them says', () => {
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 40 }),
      fc.array(fc.oneof(v4, v6), { minLength: 20, maxLength: 60 }),
      (drawn, addresses) => {
        const prefixes = new Map(
          drawn.map(([words, length]) => [formatCidr({ words: masked(words, length), length }), { words, length }]),
        );
        const list = [...prefixes].map(([cidr, { words, length }], application) => ({
          cidr,
          words,
          length,
          application,
        }));
        const table = new PrefixTable(list);
        for (const address of addresses) {
          const holding = list.filter(
            ({ words, length }) => String(masked(words, length)) === String(masked(address, length)),
          );
          const expected = holding.sort((a, b) => b.length - a.length)[0]?.application ?? -1;
          expect(table.applicationOf(Uint32Array.from(address), 0)).toBe(expected);
        }
      },
    ),
    { numRuns: 500 },
  );
});

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
  const table = new PrefixTable(cidrs.map((cidr, application) => ({ cidr, application })));
  const address = new Uint32Array(4);
  expect(parseIp(text, address, 0)).toBe(true);
  expect(table.applicationOf(address, 0)).toBe(expected);
});

test('no prefixes at all: nobody', () => {
  expect(new PrefixTable([]).applicationOf(Uint32Array.of(0, 0, 0xffff, 1), 0)).toBe(-1);
});

test.each<[string, string, number]>([
  ['0.0.0.0/0', '0.0.0.0', 0],
  ['0.0.0.0/0', '255.255.255.255', 0],
  ['0.0.0.0/0', '::fffe:ffff:ffff', -1], // the last address before IPv4
  ['0.0.0.0/0', '::1:0:0:0', -1], // the first one after it
  ['::/128', '::', 0],
  ['::/128', '::1', -1],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 0],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', -1],
])('%s and %s', (cidr, text, expected) => {
  const address = new Uint32Array(4);
  expect(parseIp(text, address, 0)).toBe(true);
  expect(new PrefixTable([{ cidr, application: 0 }]).applicationOf(address, 0)).toBe(expected);
});
