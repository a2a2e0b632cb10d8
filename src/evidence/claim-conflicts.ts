import { addressesOf, overlappingPrefixes } from './address-spans.ts';
import type { DatedPrefix } from './dated-prefixes.ts';
import { timeText } from './part-text.ts';

/** A prefix that an application claims, in the catalogue or in the part of a feed. */
export interface ClaimedPrefix extends DatedPrefix {
  application: string;
  /** The feed whose part has it; null: the catalogue. */
  feed: string | null;
}

/**
 * A prefix of a feed, and a claim that it cannot be in force beside: one of another application for some of the same traffic, or one
 * of the same application for the same network, which has one claim at a time.
 */
export interface ClaimConflict {
  guard: 'overlap' | 'shared_prefix';
  prefix: string;
  claimed: ClaimedPrefix;
}

/** Most prefixes of one kind that a message names. */
const MAX_NAMED = 5;

/** Returns the conflicts of an application's prefixes with what is claimed beside them, at the times that both are in force. */
export function claimConflicts(
  application: string,
  prefixes: readonly DatedPrefix[],
  beside: readonly ClaimedPrefix[],
): ClaimConflict[] {
  const isConflict = (own: DatedPrefix, claimed: ClaimedPrefix) =>
    own.fromMs < claimed.toMs &&
    claimed.fromMs < own.toMs &&
    (claimed.application !== application || isSameNetwork(own.prefix, claimed.prefix));
  return overlappingPrefixes(prefixes, beside, isConflict).map(([{ prefix }, claimed]) => ({
    guard: claimed.application === application ? 'shared_prefix' : 'overlap',
    prefix,
    claimed,
  }));
}

/** Returns when all conflicts with claims that have an end are over; null where there are none. */
export function conflictsEndMs(conflicts: readonly ClaimConflict[]): number | null {
  const ends = conflicts.map(({ claimed }) => claimed.toMs).filter((toMs) => toMs !== Number.POSITIVE_INFINITY);
  return ends.length === 0 ? null : ends.reduce((latest, end) => Math.max(latest, end));
}

/** Names prefixes and the claims that they cannot be beside. */
export function conflictText(conflicts: readonly ClaimConflict[]): string {
  return named(
    conflicts.map(({ prefix, claimed }) => {
      const { application, feed, toMs } = claimed;
      const where = feed === null ? '' : ` (feed ${feed})`;
      const until = toMs === Number.POSITIVE_INFINITY ? '' : ` until ${timeText(toMs)}`;
      return `${prefix} and ${claimed.prefix} of application ${application}${where}${until}`;
    }),
  );
}

/** Joins texts, at most five of them. */
export function named(texts: readonly string[]): string {
  const rest = texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : '';
  return `${texts.slice(0, MAX_NAMED).join(', ')}${rest}`;
}

function isSameNetwork(a: string, b: string): boolean {
  const [left, right] = [addressesOf(a), addressesOf(b)];
  return left.first === right.first && left.last === right.last;
}
