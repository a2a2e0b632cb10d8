import { BlockList } from 'node:net';
import { formatIp, parseCidr, parseIp } from '../../rating/ip-address.ts';

/** What IPv4 addresses have before them as IPv6 addresses: ::ffff:0:0/96. */
const V4_PREFIX_LENGTH = 96;

/**
 * Networks that no application of the public network is in (IANA's special-purpose registries): private, of this host,
 * link-local with the clouds' metadata in it, of carriers (RFC 6598), documentation, multicast, reserved; and those that have
 * an IPv4 address within them, by which one of these could be reached.
 */
const PRIVATE = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/8',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/6',
  'fe80::/9',
  'ff00::/8',
];

/** As one writes it who writes it only one way: IPv4 within IPv6 as IPv4, IPv6 as RFC 5952. Null if it is no address. */
export function canonicalIp(text: string): string | null {
  const words = new Uint32Array(4);
  // A zone (fe80::1%eth0) says which interface, and is no part of the address.
  return parseIp(text.replace(/%.*$/, ''), words, 0) ? formatIp(words) : null;
}

/** Networks of both families, apart: in one list an IPv6 network would hold IPv4 addresses, too. */
export class Networks {
  readonly #v4 = new BlockList();
  readonly #v6 = new BlockList();

  constructor(cidrs: readonly string[]) {
    for (const cidr of cidrs) {
      const parsed = parseCidr(cidr);
      if (parsed === null) throw new Error(`not a network: ${cidr}`);
      const address = formatIp(parsed.words);
      if (address.includes(':')) this.#v6.addSubnet(address, parsed.length, 'ipv6');
      else this.#v4.addSubnet(address, parsed.length - V4_PREFIX_LENGTH, 'ipv4');
    }
  }

  /** Of an address as `canonicalIp` gives it. */
  holds(ip: string): boolean {
    return ip.includes(':') ? this.#v6.check(ip, 'ipv6') : this.#v4.check(ip, 'ipv4');
  }
}

const privateNetworks = new Networks(PRIVATE);

/** Whether a terminal has no business there, unless the application is allowed to be. What is no address is private. */
export function isPrivate(address: string, allowed: Networks): boolean {
  const ip = canonicalIp(address);
  return ip === null || (privateNetworks.holds(ip) && !allowed.holds(ip));
}
