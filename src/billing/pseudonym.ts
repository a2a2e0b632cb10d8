import { createHmac } from 'node:crypto';

export const PSEUDONYM_OCTETS = 16;
/** The same octets as little-endian words of 32 bits. */
export const PSEUDONYM_WORDS = PSEUDONYM_OCTETS / 4;

/**
 * A subscriber's pseudonym: the first 128 bits of HMAC-SHA256 over the MSISDN's digits. The same key gives the same
 * pseudonym everywhere; without the key nobody can go back from it, as nobody can try all numbers.
 */
export function pseudonymOf(msisdn: string, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(msisdn, 'latin1').digest().subarray(0, PSEUDONYM_OCTETS);
}
