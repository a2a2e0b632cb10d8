import { isIPv6 } from 'node:net';

const GROUPS_OF_64_BITS = 4;
const GROUPS = 8;

/**
 * Returns the key under which limits by address count: an IPv4 address itself (also where it comes as ::ffff:a.b.c.d), and the
 * /64 of an IPv6 address, as one subscriber has all addresses of it (RFC 6177). Anything else is returned as it is.
 */
export function addressGroup(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const [plain] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [head, tail = ''] = plain.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = plain.includes('::') ? GROUPS - before.length - after.length : 0;
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  const network = groups.slice(0, GROUPS_OF_64_BITS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** Groups of 16 bits; an IPv4 address at the end is two of them. */
function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
