import * as z from 'zod';
import { periodStartDay } from '../../../rating/catalogue.ts';
import {
  MAX_ID_LENGTH,
  type ReportOutcome,
  type UsageReport,
  type UsageReportsAnswer,
} from '../../protocol/dispatch-messages.ts';
import type { DispatchContext } from '../context.ts';
import type { DispatchSession } from '../dispatch-session.ts';
import { withReported } from '../quota/quota-account.ts';
import { planOf, quotaStatesOf, quotasCounting } from '../quota/quota-of.ts';
import { remainingQuota, shownQuota } from '../quota/remaining-quota.ts';
import { applyReport, isKnownSequence } from './apply-report.ts';
import { checkReport, readReport, refusedReport } from './check-report.ts';

const DAY_MS = 86_400_000;

type SessionStatus = UsageReportsAnswer['sessions'][number];

/**
 * Takes a proxy's reports, each by itself and once by its id, and returns the outcome of each and the state of its session. What is
 * answered is on disk. To a proxy there are no sessions but its own. A refused report changes nothing.
 */
export function takeReports(
  context: DispatchContext,
  proxyId: string,
  reports: readonly unknown[],
): Promise<UsageReportsAnswer> {
  const { store, logger, reportOutcomes } = context;
  return store.transaction(() => {
    const sessionIds = new Set<string>();
    const outcomes = reports.map((given): ReportOutcome => {
      const report = readReport(given);
      if ('outcome' in report) return report;
      if (report.proxyId !== proxyId) return refusedReport('other_proxy', report.proxyId);
      sessionIds.add(report.sessionId);
      return takeReport(context, report);
    });
    for (const [at, outcome] of outcomes.entries()) {
      reportOutcomes.note(proxyId, outcome);
      if (outcome.outcome !== 'refused') continue;
      const { reason, message } = outcome;
      logger.warn({ proxyId, ...namesOf(reports[at]), reason, message }, 'a usage report is refused');
    }
    const count = (of: ReportOutcome['outcome']) => outcomes.filter(({ outcome }) => outcome === of).length;
    return {
      accepted: count('accepted'),
      known: count('duplicate'),
      refused: count('refused'),
      outcomes,
      sessions: [...sessionIds].map((sessionId) => statusOf(context, proxyId, sessionId)),
    };
  });
}

/** For the log: of which report and session an answer is, where that can be said. */
function namesOf(given: unknown): { reportId?: string; sessionId?: string } {
  const ids = z.object({ reportId: z.uuid(), sessionId: z.string().max(MAX_ID_LENGTH) }).safeParse(given);
  return ids.success ? { reportId: ids.data.reportId, sessionId: ids.data.sessionId } : {};
}

function sessionOf({ store }: DispatchContext, proxyId: string, sessionId: string): DispatchSession | undefined {
  const session = store.session(sessionId);
  return session?.proxyId === proxyId ? session : undefined;
}

function takeReport(context: DispatchContext, report: UsageReport): ReportOutcome {
  const { store, clock, patience, sessionLimits } = context;
  const known = store.report(report.reportId);
  if (known !== undefined)
    return isSameReport(known, report) ? { outcome: 'duplicate' } : refusedReport('report_conflict');
  const session = sessionOf(context, report.proxyId, report.sessionId);
  if (session === undefined) return refusedReport('session_unknown');
  const isSignOfLife = report.kind === 'interim' && report.usage.length === 0;
  if (isSignOfLife && isKnownSequence(session.sequences, report.sequence)) return { outcome: 'duplicate' };
  const nowMs = clock.nowMs();
  const applied = applyReport(session, report, nowMs);
  const { usedSponsoredOctets } = applied.session;
  const { maxClockSkewMs } = patience;
  const { overshootOctets } = sessionLimits;
  const refused = checkReport(report, session, { nowMs, maxClockSkewMs, usedSponsoredOctets, overshootOctets });
  if (refused !== null) return refused;
  const { subscriber, sponsorId, applicationId, contentShares } = session;
  store.putSession(applied.session);
  // An idle session says so each interval, for days: there is nothing in it to reconcile.
  if (isSignOfLife) return { outcome: 'accepted' };
  store.putReport({ ...report, subscriber, sponsorId, applicationId, contentShares });
  const plan = planOf(context, session);
  if (plan === undefined) return { outcome: 'accepted' };
  // As a flow record's, the period is that of the start. A proxy whose clock is ahead begins no period early.
  const startTimeMs = Math.min(report.startTimeMs, nowMs);
  const { sponsoredOctets } = applied;
  for (const { id, period, timeZone } of quotasCounting(context.catalogue, plan, startTimeMs)) {
    const periodStart = periodStartDay(startTimeMs, period, timeZone);
    const account = store.account(subscriber, id);
    store.putAccount(subscriber, id, withReported(account, { periodStart, sponsoredOctets }, dayOf(nowMs)));
  }
  return { outcome: 'accepted' };
}

/** Whether two reports say the same. */
function isSameReport(known: UsageReport, report: UsageReport): boolean {
  const contentOf = ({ proxyId, sessionId, sequence, kind, startTimeMs, endTimeMs, usage, ending }: UsageReport) =>
    JSON.stringify([
      [proxyId, sessionId, sequence, kind, startTimeMs, endTimeMs, ending],
      usage.map(({ contentType, uplinkOctets, downlinkOctets }) => [contentType, uplinkOctets, downlinkOctets]),
    ]);
  return contentOf(known) === contentOf(report);
}

export function dayOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

function statusOf(context: DispatchContext, proxyId: string, sessionId: string): SessionStatus {
  const session = sessionOf(context, proxyId, sessionId);
  if (session === undefined) return { sessionId, state: 'unknown', sponsoredOctetsCap: 0, remainingOctets: 0 };
  const { state, sponsoredOctetsCap } = session;
  return { sessionId, state, sponsoredOctetsCap, remainingOctets: remainingFor(context, session) };
}

/** What is left of the quota, with what is reserved for the session itself; null without a quota. */
export function remainingFor(context: DispatchContext, session: DispatchSession): number | null {
  const plan = planOf(context, session);
  if (plan === undefined) return 0;
  return shownQuota(remainingQuota(quotaStatesOf(context, plan, session.subscriber, session.sessionId)));
}
