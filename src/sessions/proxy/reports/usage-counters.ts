import { type ContentOctets, type ContentShares, SESSION_CONTENT_TYPES } from '../../protocol/content-octets.ts';

/** Uplink and downlink octets of each content type, in the order of SESSION_CONTENT_TYPES. */
export const COUNTERS = SESSION_CONTENT_TYPES.length * 2;
const WHOLE = 10_000;

export function contentOctetsOf(counters: Float64Array): ContentOctets[] {
  return SESSION_CONTENT_TYPES.map((contentType, type) => ({
    contentType,
    uplinkOctets: counters[type * 2],
    downlinkOctets: counters[type * 2 + 1],
  })).filter(({ uplinkOctets, downlinkOctets }) => uplinkOctets + downlinkOctets > 0);
}

/**
 * How many octets of the type may pass before the sponsored octets of all are more than `limit`: the most n for which
 * floor((counted + n x share) / 10000) <= limit. Infinity for a share of nothing.
 */
export function octetsUpTo(limit: number, counters: Float64Array, type: number, shares: ContentShares): number {
  const share = shares[SESSION_CONTENT_TYPES[type]] ?? 0;
  if (share === 0) return Number.POSITIVE_INFINITY;
  let counted = 0n;
  for (const [at, contentType] of SESSION_CONTENT_TYPES.entries()) {
    counted += BigInt(counters[at * 2] + counters[at * 2 + 1]) * BigInt(shares[contentType] ?? 0);
  }
  const room = BigInt(limit) * BigInt(WHOLE) + BigInt(WHOLE - 1) - counted;
  return room < 0n ? 0 : Number(room / BigInt(share));
}
