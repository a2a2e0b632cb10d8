import { BlockList, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawInside, formatAddress, parsePrefix } from './address-space.ts';
import { Random } from './random.ts';

const cidr = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
);

test('a drawn address lies inside of its prefix, by Node’s BlockList', () => {
  fc.assert(
    fc.property(cidr, fc.nat(), ([network, length], seed) => {
      const prefix = parsePrefix(`${network}/${length}`);
      const address = drawInside(prefix, new Random(seed));
      const family = isIPv6(network) ? 'ipv6' : 'ipv4';
      const list = new BlockList();
      list.addSubnet(network, length, family);
      expect(list.check(formatAddress(address), family)).toBe(true);
    }),
  );
});

test.each(['198.51.100.0', '198.51.100.0/33', '198.51.100/24', '2001:db8::/129', 'proxy/8', '/8', '1.1.1.1/'])(
  '%s is refused',
  (text) => {
    expect(() => parsePrefix(text)).toThrow(`"${text}" is not a prefix`);
  },
);
