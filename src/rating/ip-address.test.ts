import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCidr, formatIp, networkOf, parseCidr, parseIp } from './ip-address.ts';

const parse = (text: string): number[] | null => {
  const out = new Uint32Array(6).fill(7);
  const parsed = parseIp(text, out, 1);
  expect([out[0], out[5]]).toEqual([7, 7]);
  if (!parsed) expect([...out]).toEqual([7, 7, 7, 7, 7, 7]);
  return parsed ? [...out.slice(1, 5)] : null;
};

test.each([
  ['0.0.0.0', [0, 0, 0xffff, 0]],
  ['255.255.255.255', [0, 0, 0xffff, 0xffffffff]],
  ['203.0.113.7', [0, 0, 0xffff, 0xcb007107]],
  ['::', [0, 0, 0, 0]],
  ['::1', [0, 0, 0, 1]],
  ['1::', [0x10000, 0, 0, 0]],
  ['2a03:2880::BeeF', [0x2a032880, 0, 0, 0xbeef]],
  ['1:2:3:4:5:6:7:8', [0x10002, 0x30004, 0x50006, 0x70008]],
  ['1:2:3:4:5:6:7::', [0x10002, 0x30004, 0x50006, 0x70000]],
  ['::2:3:4:5:6:7:8', [0x00002, 0x30004, 0x50006, 0x70008]],
  ['::ffff:203.0.113.7', [0, 0, 0xffff, 0xcb007107]],
  ['1:2:3:4:5:6:255.255.0.1', [0x10002, 0x30004, 0x50006, 0xffff0001]],
  ['64:ff9b::192.0.2.33', [0x0064ff9b, 0, 0, 0xc0000221]],
])('%s is %j', (text, words) => {
  expect(parse(text)).toEqual(words);
});

const BAD = [
  ...[
    '',
    '.',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.00',
    '1.2.3.1000',
  ],
  ...[' 1.2.3.4', '1.2.3.4 ', '1.2.3.4/8', '-1.2.3.4', '１.2.3.4', '1.2.3.4\0', 'a.b.c.d', '0x1.2.3.4', '4294967296'],
  ...[
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
  ],
  ...[
    '12345::',
    '::g',
    '::1%eth0',
    '::1.2.3',
    '::1.2.3.4.5',
    '::1.2.3.04',
    '1:2:3:4:5:6:7:1.2.3.4',
    '1.2.3.4::',
    '[::1]',
  ],
  ...['::1.2.3.4:5', '1:2:3:4:5:1.2.3.4', '::ffff:12345.1.1.1', '::/0', '::\u{1d7d9}'],
];

test.each(BAD)('%j is no address', (text) => {
  expect(isIP(text) === 0 || text.includes('%')).toBe(true);
  expect(parse(text)).toBeNull();
});

const nearlyAnAddress = fc
  .array(
    fc.constantFrom(':', '::', '.', '0', '1', '12', '255', '256', 'f', 'ffff', '00', 'a1b2', '::ffff:', '1.2.3.4'),
    {
      maxLength: 17,
    },
  )
  .map((parts) => parts.join(''));

test('takes what node:net takes, and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(nearlyAnAddress, fc.ipV4(), fc.ipV4Extended(), fc.ipV6(), fc.string()), (text) => {
      if (text.includes('%')) return;
      expect(parse(text) !== null).toBe(isIP(text) !== 0);
    }),
    { numRuns: 20_000 },
  );
});

const words = fc.tuple(
  ...([0, 1, 2, 3].map(() =>
    fc.oneof(fc.constantFrom(0, 0xffff, 0xffff0000), fc.nat(0xffff), fc.integer({ min: 0, max: 0xffffffff })),
  ) as [fc.Arbitrary<number>, fc.Arbitrary<number>, fc.Arbitrary<number>, fc.Arbitrary<number>]),
);

test('what is written reads back the same, in the form that a URL gives it', () => {
  fc.assert(
    fc.property(words, (address) => {
      const text = formatIp(Uint32Array.from(address));
      expect(parse(text)).toEqual(address);
      // The URL standard writes IPv6 as RFC 5952 does.
      if (text.includes(':')) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ['203.0.113.0/24', 120],
  ['0.0.0.0/0', 96],
  ['1.2.3.4/32', 128],
  ['2001:db8::/32', 32],
  ['::/0', 0],
  ['::1/128', 128],
])('%s has %d bits that count', (text, length) => {
  expect(parseCidr(text)?.length).toBe(length);
});

test.each([
  '1.2.3.4',
  '1.2.3.4/',
  '1.2.3.4/33',
  '::/129',
  '1.2.3.4/08',
  '1.2.3.4/-1',
  '1.2.3.4/8/8',
  '/8',
  '1.2.3/8',
  '1.2.3.0/2e1',
])('%j is no network', (text) => {
  expect(parseCidr(text)).toBeNull();
});

test.each([
  ['203.0.113.77/24', '203.0.113.0/24'],
  ['203.0.113.77/0', '0.0.0.0/0'],
  ['203.0.113.77/32', '203.0.113.77/32'],
  ['2001:DB8:0:0:1::/32', '2001:db8::/32'],
  ['2001:db8::1/127', '2001:db8::/127'],
  ['ffff::/1', '8000::/1'],
])('the network of %s is %s', (text, network) => {
  const cidr = parseCidr(text);
  expect(formatCidr(networkOf(cidr!))).toBe(network);
});

test('a network holds what node:net says that it holds', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(32), fc.ipV4(), (address, length, other) => {
      const list = new BlockList();
      list.addSubnet(address, length);
      const network = formatCidr(networkOf(parseCidr(`${address}/${length}`)!));
      expect(formatCidr(networkOf(parseCidr(`${other}/${length}`)!)) === network).toBe(list.check(other));
    }),
  );
});
