import type { Plan } from '../../../rating/catalogue.ts';
import type { DispatchContext, Refused } from '../context.ts';
import { type DispatchSession, reservedOctets } from '../dispatch-session.ts';
import { planIdsOf, quotasCounting } from './quota-of.ts';

/** Sessions that could not be resumed, by id; true where the session has ended at its proxy. */
export type NotResumed = ReadonlyMap<string, boolean>;

/** Until the report of an end that the proxy has seen already is here; also the shortest time to ask again after. */
const END_REPORT_DELAY_MS = 1000;

/** What is left of the quota is reserved for other sessions of the subscriber, and until when at the latest. */
export function quotaReserved(
  context: DispatchContext,
  plan: Plan,
  subscriber: string,
  notResumed: NotResumed = new Map(),
): Refused {
  const { catalogue, store, clock } = context;
  const sharing = quotasCounting(catalogue, plan, clock.nowMs()).flatMap(({ id }) => planIdsOf(catalogue, id));
  const holders = [...new Set(sharing)]
    .flatMap((planId) => store.liveSessions(subscriber, planId))
    .filter((session) => reservedOctets(session) > 0);
  return { refusal: 'quota_reserved', retryAfterMs: freeInMs(holders, context, notResumed) };
}

/**
 * How long until the first of the sessions has nothing reserved any more if it is not used: an open one when its token has expired and
 * it was idle, one that is over when its reports can no longer come.
 */
export function freeInMs(
  sessions: readonly DispatchSession[],
  { clock, patience }: Pick<DispatchContext, 'clock' | 'patience'>,
  notResumed: NotResumed = new Map(),
): number {
  const { idleTimeoutMs, releaseDelayMs } = patience;
  const nowMs = clock.nowMs();
  const freeAtMs = sessions.map(({ sessionId, state, tokenExpiresAtMs, lastReportAtMs, overAcknowledgedAtMs }) => {
    if (notResumed.get(sessionId) === true) return nowMs + END_REPORT_DELAY_MS;
    if (state === 'open') return Math.max(tokenExpiresAtMs, lastReportAtMs) + idleTimeoutMs;
    return (overAcknowledgedAtMs ?? nowMs) + releaseDelayMs;
  });
  return Math.max(END_REPORT_DELAY_MS, Math.min(...freeAtMs) - nowMs);
}
