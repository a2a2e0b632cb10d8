import type { Random } from './random.ts';

/** A subscriber, identified by its rank: 0 is the most active one. */
export interface Subscriber {
  rank: number;
  msisdn: string;
  imsi: string;
}

// Shares of traffic fall with rank^-0.8: of 100,000 subscribers the busiest has 2% of the records, not a tenth of them.
const ZIPF_EXPONENT = 0.8;
// Odd and no multiple of 5, so it permutes the 10^9 numbers; small enough that rank x step is exact.
const NUMBER_STEP = 7_654_321;
const NUMBERS = 1_000_000_000;

/**
 * Draws a subscriber, Zipf-like, by inverting the continuous distribution: without a table, for any number of subscribers.
 */
export function drawSubscriber(subscribers: number, random: Random): Subscriber {
  const power = 1 - ZIPF_EXPONENT;
  const place = (((subscribers + 1) ** power - 1) * random.uniform() + 1) ** (1 / power);
  return subscriberOfRank(Math.min(Math.floor(place) - 1, subscribers - 1));
}

/** Returns the subscriber of a rank. 999 is an unassigned country code and mobile country code. */
export function subscriberOfRank(rank: number): Subscriber {
  const number = String((rank * NUMBER_STEP + 123_456_789) % NUMBERS).padStart(9, '0');
  return { rank, msisdn: `999${number}`, imsi: `999990${number}` };
}

/**
 * Returns the subscriber's own address, of the same family as the remote one: from 100.64.0.0/10 (RFC 6598), or unique
 * local.
 */
export function terminalIp({ rank }: Subscriber, remoteIp: string): string {
  if (remoteIp.includes(':')) return `fd64:0:${(rank >>> 16).toString(16)}:${(rank & 0xffff).toString(16)}::1`;
  // 2^22 addresses: with more subscribers, some share one, as behind address translation.
  const host = rank % 2 ** 22;
  return `100.${64 + (host >>> 16)}.${(host >>> 8) & 255}.${host & 255}`;
}
