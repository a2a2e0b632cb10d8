/** All in sponsored octets of the current period; `quotaOctets` is Infinity without a quota. */
export interface QuotaState {
  quotaOctets: number;
  /** See `provisionalUse`. */
  usedOctets: number;
  /** What sessions were given and have not reported. */
  reservedOctets: number;
}

/** What may still be given away. */
export function remainingQuota({ quotaOctets, usedOctets, reservedOctets }: QuotaState): number {
  return Math.max(0, quotaOctets - usedOctets - reservedOctets);
}

/** The cap of a new session: a grant of the configured size, or what is left. */
export function firstCap(state: QuotaState, grantOctets: number): number {
  return Math.min(grantOctets, remainingQuota(state));
}

/**
 * The cap of a renewed session: from what it has used, another grant, or what is left. `others` holds what is reserved for
 * the subscriber's other sessions. What the session was given before is not taken back.
 */
export function renewedCap(
  session: { sponsoredOctetsCap: number; usedSponsoredOctets: number },
  others: QuotaState,
  grantOctets: number,
): number {
  return Math.max(session.sponsoredOctetsCap, session.usedSponsoredOctets + firstCap(others, grantOctets));
}

/** As messages have it: null without a quota. */
export function shownQuota(octets: number): number | null {
  return Number.isFinite(octets) ? octets : null;
}
