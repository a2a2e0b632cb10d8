import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressesOf, countAddresses, overlappingPrefixes } from './address-spans.ts';

test('addresses count once, whatever the nesting, and neighbours are one span', () => {
  const { IPv4, IPv6 } = countAddresses([
    '192.0.2.128/25',
    '192.0.2.0/25',
    '192.0.2.7/32',
    '198.51.100.0/24',
    '2001:db8::/32',
    '2001:db8:1::/48',
  ]);
  expect(IPv4).toEqual({ addresses: 512n, spans: 2 });
  expect(IPv6).toEqual({ addresses: 2n ** 96n, spans: 1 });
  expect(countAddresses(['0.0.0.0/0', '0.0.0.0/8', '::/81', '255.255.255.255/32'])).toMatchObject({
    IPv4: { addresses: 2n ** 32n, spans: 1 },
    IPv6: { spans: 1 },
  });
});

test('overlaps are found as by comparing each with each', () => {
  const prefix = fc
    .tuple(fc.nat(15), fc.integer({ min: 24, max: 32 }), fc.boolean())
    .map(([last, length, isIpv6]) =>
      isIpv6 ? `2001:db8::${(last >> (32 - length)) << (32 - length)}/${length + 96}` : networkText(last * 17, length),
    );
  fc.assert(
    fc.property(fc.uniqueArray(prefix), fc.uniqueArray(prefix), (left, right) => {
      const others = right.map((each) => ({ prefix: each }));
      const found = overlappingPrefixes(
        left.map((each) => ({ prefix: each })),
        others,
      ).map(([a, b]) => `${a.prefix} ${b.prefix}`);
      const shared = left.flatMap((a) => right.filter((b) => isShared(a, b)).map((b) => `${a} ${b}`));
      expect(found.sort()).toEqual(shared.sort());
    }),
    { numRuns: 500 },
  );
});

test('prefixes with protocols and ports overlap where some traffic is of both, and their addresses count once', () => {
  const others = ['192.0.2.0/24 tcp 80-442', '192.0.2.0/25 tcp 443', '192.0.2.128/25 udp'].map((prefix) => ({
    prefix,
  }));
  const overlaps = (prefix: string) => overlappingPrefixes([{ prefix }], others).map(([, other]) => other.prefix);
  expect(overlaps('192.0.2.7/32 tcp 443')).toEqual(['192.0.2.0/25 tcp 443']);
  expect(overlaps('192.0.2.7/32 tcp 444')).toEqual([]);
  expect(overlaps('192.0.2.200/32 tcp 100')).toEqual(['192.0.2.0/24 tcp 80-442']);
  expect(overlaps('192.0.2.0/24')).toEqual(others.map(({ prefix }) => prefix));
  expect(countAddresses(['192.0.2.0/24 tcp 443', '192.0.2.0/24 udp', '192.0.2.7/32']).IPv4).toEqual({
    addresses: 256n,
    spans: 1,
  });
});

function networkText(last: number, length: number): string {
  return `192.0.2.${last & (0xff << (32 - length))}/${length}`;
}

function isShared(a: string, b: string): boolean {
  const [left, right] = [addressesOf(a), addressesOf(b)];
  return left.first <= right.last && right.first <= left.last;
}
