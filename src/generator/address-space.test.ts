import { BlockList, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, drawInside, formatAddress, parsePrefix } from './address-space.ts';
import { Random } from './random.ts';

const cidr = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
);

test('a drawn address lies inside of its prefix, as Node says', () => {
  fc.assert(
    fc.property(cidr, fc.nat(), ([network, length], seed) => {
      const prefix = parsePrefix(`${network}/${length}`);
      const address = drawInside(prefix, new Random(seed));
      const family = isIPv6(network) ? 'ipv6' : 'ipv4';
      const list = new BlockList();
      list.addSubnet(network, length, family);
      expect(list.check(formatAddress(address), family)).toBe(true);
      expect(contains(prefix, address)).toBe(true);
    }),
  );
});

test.each([
  ['198.51.100.0/25', '198.51.100.127/32', true],
  ['198.51.100.0/25', '198.51.100.128/32', false],
  ['2001:db8::/33', '2001:db8:7fff::/128', true],
  ['2001:db8::/33', '2001:db8:8000::/128', false],
  ['::ffff:192.0.2.0/120', '::ffff:192.0.2.9/128', true],
  ['0.0.0.0/0', '::/128', false],
])('%s holds %s: %s', (outer, address, expected) => {
  expect(contains(parsePrefix(outer), parsePrefix(address).network)).toBe(expected);
});

test.each(['198.51.100.0', '198.51.100.0/33', '198.51.100/24', '2001:db8::/129', 'proxy/8', '/8', '1.1.1.1/'])(
  '%s is refused',
  (text) => {
    expect(() => parsePrefix(text)).toThrow(`"${text}" is not a prefix`);
  },
);
