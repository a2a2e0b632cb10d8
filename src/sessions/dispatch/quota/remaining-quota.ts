/** One of the quotas that count a plan, in sponsored octets of its current period; `quotaOctets` is Infinity without a quota. */
export interface QuotaState {
  quotaOctets: number;
  /** See `provisionalUse`. */
  usedOctets: number;
  /** What sessions were given and have not reported. */
  reservedOctets: number;
}

/** What may still be given away: as far as all quotas allow. */
export function remainingQuota(states: readonly QuotaState[]): number {
  const left = states.map(({ quotaOctets, usedOctets, reservedOctets }) => quotaOctets - usedOctets - reservedOctets);
  return Math.max(0, Math.min(...left));
}

/** What is not used, reserved or not. */
export function unusedQuota(states: readonly QuotaState[]): number {
  return remainingQuota(states.map((state) => ({ ...state, reservedOctets: 0 })));
}

/** The cap of a new session: a grant of the configured size, or what is left. */
export function firstCap(states: readonly QuotaState[], grantOctets: number): number {
  return Math.min(grantOctets, remainingQuota(states));
}

/**
 * The cap of a renewed session: from what it has used, another grant, or what is left. `others` holds what is reserved for
 * the subscriber's other sessions. What the session was given before is not taken back.
 */
export function renewedCap(
  session: { sponsoredOctetsCap: number; usedSponsoredOctets: number },
  others: readonly QuotaState[],
  grantOctets: number,
): number {
  return Math.max(session.sponsoredOctetsCap, session.usedSponsoredOctets + firstCap(others, grantOctets));
}

/** As messages have it: null without a quota. */
export function shownQuota(octets: number): number | null {
  return Number.isFinite(octets) ? octets : null;
}
