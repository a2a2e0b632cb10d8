import { parseSocks5Address, type Socks5Destination, socks5Address } from './socks5.ts';

/** RSV, RSV, FRAG. */
const PREFIX_OCTETS = 3;

export interface Socks5Datagram {
  /** Where it goes (from the client), or where it comes from (to the client). */
  peer: Socks5Destination;
  payload: Buffer;
}

export type ParsedDatagram = (Socks5Datagram & { fault?: undefined }) | { fault: 'malformed' | 'fragmented' };

/**
 * What a datagram of an association carries (RFC 1928, 7). One that is a fragment (FRAG other than 0) is `fragmented`: fragments
 * are not put together, as the RFC allows. `payload` is a view of `octets`.
 */
export function parseSocks5Datagram(octets: Buffer): ParsedDatagram {
  if (octets.length < PREFIX_OCTETS || octets[0] !== 0 || octets[1] !== 0) return { fault: 'malformed' };
  if (octets[2] !== 0) return { fault: 'fragmented' };
  const address = parseSocks5Address(octets, PREFIX_OCTETS);
  if (address === null || address.fault !== undefined) return { fault: 'malformed' };
  return { peer: address.value, payload: octets.subarray(address.length) };
}

/** A datagram of an association, its header before the payload. */
export function socks5Datagram({ peer, payload }: { peer: Socks5Destination; payload: Uint8Array }): Buffer {
  return Buffer.concat([Buffer.alloc(PREFIX_OCTETS), socks5Address(peer), payload]);
}
