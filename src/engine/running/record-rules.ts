import { systemClock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config/config.ts';
import { latestTimeOf, type RecordLimits, type RecordRules } from '../../rating/record/record-limits.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the configuration says about the values of records. */
export function recordRules({ limits, msisdn }: Pick<Config, 'limits' | 'msisdn'>): RecordRules {
  return { msisdn, maxFutureSkewMs: limits.maxFutureSkewMs };
}

/** What a record of a log without timestamps is checked against when it is read today. */
export function limitsOfToday(config: Pick<Config, 'limits' | 'msisdn'>): RecordLimits {
  const { msisdn, maxFutureSkewMs } = recordRules(config);
  return { msisdn, latestTimeMs: latestTimeOf(null, today(), maxFutureSkewMs) };
}

/** Days since 1970-01-01, UTC. */
export function today(): number {
  return Math.floor(systemClock.nowMs() / DAY_MS);
}
