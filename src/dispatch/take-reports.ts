import { periodStartDay } from '../billing/period.ts';
import type { UsageReport, UsageReportsAnswer } from '../session-protocol/dispatch-messages.ts';
import { applyReport } from './apply-report.ts';
import type { DispatchContext } from './context.ts';
import { withReported } from './quota-account.ts';
import { planOf, quotaStateOf } from './quota-of.ts';
import { remainingQuota, shownQuota } from './remaining-quota.ts';
import type { Session } from './session.ts';

const DAY_MS = 86_400_000;

type Standing = UsageReportsAnswer['sessions'][number];

/**
 * Takes a proxy's reports, each once by its id, and says how their sessions stand. What is answered is on disk. A report of a
 * session that is not this proxy's is not taken: to this proxy there is no such session.
 */
export function takeReports(
  context: DispatchContext,
  proxyId: string,
  reports: readonly UsageReport[],
): Promise<UsageReportsAnswer> {
  const { store, logger } = context;
  return store.transaction(() => {
    const counts = { accepted: 0, known: 0 };
    for (const report of reports) {
      if (store.hasReport(report.reportId)) {
        counts.known += 1;
        continue;
      }
      const session = sessionOf(context, proxyId, report.sessionId);
      if (session === undefined) {
        const { reportId, sessionId } = report;
        logger.warn({ proxyId, reportId, sessionId }, 'a report of a session that is not this proxy’s is not taken');
        continue;
      }
      take(context, session, report);
      counts.accepted += 1;
    }
    const sessionIds = [...new Set(reports.map(({ sessionId }) => sessionId))];
    return { ...counts, sessions: sessionIds.map((sessionId) => standingOf(context, proxyId, sessionId)) };
  });
}

function sessionOf({ store }: DispatchContext, proxyId: string, sessionId: string): Session | undefined {
  const session = store.session(sessionId);
  return session?.proxyId === proxyId ? session : undefined;
}

function take(context: DispatchContext, session: Session, report: UsageReport): void {
  const { store, clock } = context;
  const { subscriber, planId, sponsorId, applicationId, contentShares } = session;
  const nowMs = clock.nowMs();
  const applied = applyReport(session, report, nowMs);
  store.putSession(applied.session);
  store.putReport({ ...report, subscriber, sponsorId, applicationId, contentShares });
  const plan = planOf(context, session);
  if (plan === undefined) return;
  // As a flow record's, the period is that of the start. A proxy whose clock is ahead begins no period early.
  const periodStart = periodStartDay(Math.min(report.startTimeMs, nowMs), plan.period, plan.timeZone);
  const { sponsoredOctets } = applied;
  const account = store.account(subscriber, planId);
  store.putAccount(subscriber, planId, withReported(account, { periodStart, sponsoredOctets }, today(nowMs)));
}

export function today(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

function standingOf(context: DispatchContext, proxyId: string, sessionId: string): Standing {
  const session = sessionOf(context, proxyId, sessionId);
  if (session === undefined) return { sessionId, state: 'unknown', sponsoredOctetsCap: 0, remainingOctets: 0 };
  const { state, sponsoredOctetsCap } = session;
  return { sessionId, state, sponsoredOctetsCap, remainingOctets: remainingFor(context, session) };
}

/** What is left of the quota, with what is reserved for the session itself; null without a quota. */
export function remainingFor(context: DispatchContext, session: Session): number | null {
  const plan = planOf(context, session);
  if (plan === undefined) return 0;
  return shownQuota(remainingQuota(quotaStateOf(context, plan, session.subscriber, session.sessionId)));
}
