import type { Heartbeat } from '../../protocol/dispatch-messages.ts';

/** A sign of life that takes longer is given up by the proxy. */
const LONGEST_WAY_MS = 10_000;

/**
 * By how much a proxy's clock is ahead of this one. The proxy measures it between the midpoints of request and answer, with the answer
 * before. When its clock was set since then, the time that this sign of life was sent at says so: sent at S and received at R, the
 * skew is at least S - R, and at most the way longer.
 */
export function clockSkewOf({ sentAtMs, clockSkewMs }: Heartbeat, receivedAtMs: number): number {
  if (sentAtMs === undefined) return clockSkewMs ?? 0;
  const least = sentAtMs - receivedAtMs;
  return clockSkewMs === undefined ? least : Math.min(Math.max(clockSkewMs, least), least + LONGEST_WAY_MS);
}

/** How a proxy's clock is judged. */
export type SkewVerdict = 'good' | 'warned' | 'excessive';

export interface SkewBounds {
  warnClockSkewMs: number;
  /** Beyond it the proxy is given no sessions. */
  maxClockSkewMs: number;
}

export function verdictOn(clockSkewMs: number, { warnClockSkewMs, maxClockSkewMs }: SkewBounds): SkewVerdict {
  const skewMs = Math.abs(clockSkewMs);
  if (skewMs > maxClockSkewMs) return 'excessive';
  return skewMs > warnClockSkewMs ? 'warned' : 'good';
}

const MS_AT_MOST = 60_000;

export function describeSkew(clockSkewMs: number): string {
  const skewMs = Math.abs(clockSkewMs);
  const skew = skewMs < MS_AT_MOST ? `${skewMs} ms` : `${Math.round(skewMs / 1000)} s`;
  return `${skew} ${clockSkewMs < 0 ? 'behind' : 'ahead of'} the dispatch server’s`;
}
