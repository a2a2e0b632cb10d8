import { isIPv4, isIPv6 } from 'node:net';
import type { Random } from './random.ts';

/** An address as 16-bit groups: two for IPv4, eight for IPv6. */
export type Groups = readonly number[];

export interface Prefix {
  network: Groups;
  /** 16-bit masks, one a group. */
  mask: Groups;
  length: number;
}

/** Parses a prefix. `cidr`: v4 or v6 text such as `198.51.100.0/24`; host bits are ignored. */
export function parsePrefix(cidr: string): Prefix {
  const [address = '', lengthText = ''] = cidr.split('/');
  const groups = parseGroups(address);
  const length = Number(lengthText);
  if (groups === null || !/^\d+$/.test(lengthText) || length > groups.length * 16) {
    throw new RangeError(`"${cidr}" is not a prefix in CIDR notation, such as 198.51.100.0/24 or 2001:db8::/32`);
  }
  const mask = groups.map((_, index) => groupMask(length - 16 * index));
  return { network: groups.map((group, index) => group & mask[index]), mask, length };
}

/** Draws any address of the prefix. */
export function drawInside(prefix: Prefix, random: Random): Groups {
  return prefix.network.map((group, index) => group | (random.uint32() & 0xffff & ~prefix.mask[index]));
}

export function formatAddress(groups: Groups): string {
  if (groups.length === 2) {
    const [high = 0, low = 0] = groups;
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return groups.map((group) => group.toString(16)).join(':');
}

function groupMask(bits: number): number {
  const fixed = Math.min(Math.max(bits, 0), 16);
  return (0xffff << (16 - fixed)) & 0xffff;
}

function parseGroups(address: string): number[] | null {
  if (isIPv4(address)) return groupsOfV4(address);
  if (!isIPv6(address) || address.includes('%')) return null;
  const [head = '', tail] = address.split('::');
  const before = groupsOfV6(head);
  if (tail === undefined) return before;
  const after = groupsOfV6(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function groupsOfV4(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}

/** Parses part of a v6 text without `::`; its last group may be written as IPv4. */
function groupsOfV6(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? groupsOfV4(group) : [Number.parseInt(group, 16)]));
}
