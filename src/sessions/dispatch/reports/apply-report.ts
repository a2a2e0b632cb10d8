import { type ContentOctets, SESSION_CONTENT_TYPES, sponsoredOctetsOf } from '../../protocol/content-octets.ts';
import type { UsageReport } from '../../protocol/dispatch-messages.ts';
import { type DispatchSession, isWhollyReported, type ReportedSequences } from '../dispatch-session.ts';

export interface AppliedReport {
  session: DispatchSession;
  /** By how much the session's sponsored octets have grown. */
  sponsoredOctets: number;
}

/**
 * Adds a report that is not known yet to its session. Reports may come in any order, and after the session's end: what was
 * used was used. The proxy's end report ends an open session; with the last one that was missing, nothing is reserved any more.
 */
export function applyReport(session: DispatchSession, report: UsageReport, nowMs: number): AppliedReport {
  const usage = addUsage(session.usage, report.usage);
  const usedSponsoredOctets = sponsoredOctetsOf(usage, session.contentShares);
  const isEnd = report.kind === 'end';
  const sequences = noteSequence(session.sequences, report.sequence, isEnd);
  const reported: DispatchSession = { ...session, usage, usedSponsoredOctets, sequences, lastReportAtMs: nowMs };
  if (isEnd) endByProxy(reported, report, nowMs);
  if (reported.state !== 'open' && isWhollyReported(reported)) reported.isSettled = true;
  return { session: reported, sponsoredOctets: usedSponsoredOctets - session.usedSponsoredOctets };
}

/** The proxy is not notified of what it has ended itself. */
function endByProxy(session: DispatchSession, { ending = 'terminal_left' }: UsageReport, nowMs: number): void {
  if (session.state === 'open') {
    session.state = 'ended';
    session.ending = ending;
  }
  session.acknowledgedRevision = session.revision;
  session.overAcknowledgedAtMs ??= nowMs;
}

function addUsage(usage: readonly ContentOctets[], more: readonly ContentOctets[]): ContentOctets[] {
  const all = [...usage, ...more];
  return SESSION_CONTENT_TYPES.flatMap((contentType) => {
    const those = all.filter((octets) => octets.contentType === contentType);
    if (those.length === 0) return [];
    const sum = (of: (octets: ContentOctets) => number) => those.reduce((total, octets) => total + of(octets), 0);
    return [{ contentType, uplinkOctets: sum((o) => o.uplinkOctets), downlinkOctets: sum((o) => o.downlinkOctets) }];
  });
}

function noteSequence(known: ReportedSequences, sequence: number, isEnd: boolean): ReportedSequences {
  const ahead = [...new Set([...known.ahead, sequence])].sort((a, b) => a - b);
  let { through } = known;
  while (ahead.length > 0 && ahead[0] <= through + 1) through = Math.max(through, Number(ahead.shift()));
  return { through, ahead, last: isEnd ? Math.max(sequence, known.last ?? 0) : known.last };
}

export function isKnownSequence({ through, ahead }: ReportedSequences, sequence: number): boolean {
  return sequence <= through || ahead.includes(sequence);
}
