import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalIp, isPrivate, Networks } from './private-address.ts';

const NOTHING = new Networks([]);

test.each([
  ['this host', '127.0.0.1'],
  ['this host by another address', '127.255.0.9'],
  ['no host', '0.0.0.0'],
  ['a private network', '10.0.0.1'],
  ['another', '172.31.255.255'],
  ['another', '192.168.1.1'],
  ['a carrier behind its NAT', '100.64.0.1'],
  ["a cloud's metadata", '169.254.169.254'],
  ['broadcast', '255.255.255.255'],
  ['multicast', '224.0.0.1'],
  ['this host, IPv6', '::1'],
  ['no host, IPv6', '::'],
  ['IPv4 within IPv6', '::ffff:127.0.0.1'],
  ['the same in hex', '::ffff:7f00:1'],
  ['IPv4-compatible', '::7f00:1'],
  ['by NAT64', '64:ff9b::7f00:1'],
  ['by 6to4', '2002:7f00:1::'],
  ['by Teredo', '2001:0:1::'],
  ['link-local', 'fe80::1'],
  ['link-local with its interface', 'fe80::1%eth0'],
  ['site-local', 'fec0::1'],
  ['unique local', 'fd00:ec2::254'],
  ['multicast, IPv6', 'ff02::1'],
  ['a number', '2130706433'],
  ['octal', '0177.0.0.1'],
  ['a short form', '127.1'],
  ['a name', 'localhost'],
])('%s is private: %s', (_, address) => {
  expect(isPrivate(address, NOTHING)).toBe(true);
});

test.each(['8.8.8.8', '1.1.1.1', '100.128.0.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1', '::ffff:8.8.8.8'])(
  '%s is not',
  (address) => {
    if (address.startsWith('::ffff')) expect(canonicalIp(address)).toBe('8.8.8.8');
    expect(isPrivate(address, NOTHING)).toBe(false);
  },
);

test('what an application is allowed is no more than that', () => {
  const allowed = new Networks(['127.0.0.0/8', 'fd00::/8']);
  expect(isPrivate('127.0.0.1', allowed)).toBe(false);
  expect(isPrivate('::ffff:127.0.0.1', allowed)).toBe(false);
  expect(isPrivate('fd00::1', allowed)).toBe(false);
  expect(isPrivate('10.0.0.1', allowed)).toBe(true);
  expect(isPrivate('fe80::1', allowed)).toBe(true);
});

test('an IPv4 address and the same within IPv6 are judged alike', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => isPrivate(address, NOTHING) === isPrivate(`::ffff:${address}`, NOTHING)),
  );
});
