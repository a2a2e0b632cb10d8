import type { Span } from '../rating/claims.ts';
import { comparePrefixes, parsePrefixText } from './prefix-text.ts';

/** A prefix and when it is in force: for records that start in [fromMs, toMs). */
export interface DatedPrefix extends Span {
  /** As `prefixText` writes it. */
  prefix: string;
}

/** Returns the list that is in force once everything that is scheduled has come. */
export function latestList(prefixes: readonly DatedPrefix[]): string[] {
  return prefixes.filter(({ toMs }) => toMs === Number.POSITIVE_INFINITY).map(({ prefix }) => prefix);
}

/**
 * Returns the prefixes as they are when a list is in force from an instant on, sorted. What was in force before that instant
 * stays; what was scheduled for later is replaced. The same change again changes nothing.
 */
export function changeList(
  prefixes: readonly DatedPrefix[],
  list: readonly string[],
  effectiveFromMs: number,
): DatedPrefix[] {
  const missing = new Set(list);
  const changed = prefixes
    .filter(({ fromMs }) => fromMs < effectiveFromMs)
    .map((dated) => {
      if (dated.toMs < effectiveFromMs) return dated;
      const isKept = missing.delete(dated.prefix);
      return { ...dated, toMs: isKept ? Number.POSITIVE_INFINITY : effectiveFromMs };
    });
  for (const prefix of missing) changed.push({ prefix, fromMs: effectiveFromMs, toMs: Number.POSITIVE_INFINITY });
  return sorted(changed);
}

function sorted(prefixes: readonly DatedPrefix[]): DatedPrefix[] {
  return prefixes
    .map((dated) => ({ dated, listed: parsePrefixText(dated.prefix) }))
    .sort((a, b) => comparePrefixes(a.listed, b.listed) || a.dated.fromMs - b.dated.fromMs)
    .map(({ dated }) => dated);
}
