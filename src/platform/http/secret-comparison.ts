import { createHash, timingSafeEqual } from 'node:crypto';

/** Returns whether two secrets are equal, in a time that says nothing about how much of a guess was right, nor of its length. */
export function isSecret(given: string | undefined, secret: string): boolean {
  if (given === undefined) return false;
  return timingSafeEqual(digestOf(given), digestOf(secret));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
