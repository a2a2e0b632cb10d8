import { createHash, timingSafeEqual } from 'node:crypto';

/** The secret or token of `Authorization: Bearer`; undefined when the header is not of that form. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1];
}

/** Compares in a time that says nothing about how much of a guess was right. */
export function isSecret(given: string | undefined, secret: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [given, secret].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a, b);
}
