import { compareTexts } from '../../platform/compare-texts.ts';
import {
  SESSION_CONTENT_TYPES,
  type SessionContentType,
  sponsoredOctetsOf,
} from '../../sessions/protocol/content-octets.ts';
import type { ReportedUsage } from '../../sessions/protocol/dispatch-messages.ts';

/** A charged record. */
export interface ChargedUsage {
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  contentType: string;
  startTimeMs: number;
  endTimeMs: number;
  /** Octets of both directions, of sponsor and subscriber. */
  octets: number;
  sponsoredOctets: number;
}

export interface Tolerance {
  octets: number;
  /** Basis points of the reported octets. */
  basisPoints: number;
  /** Largest difference between the clocks of proxies and of the network. */
  clockSkewMs: number;
}

const DIFFERENCE_KINDS = ['only_reported', 'only_charged', 'octets_differ'] as const;

/** A difference: one content type of a subscriber's overlapping sessions of an application. */
interface UsageDifference {
  kind: (typeof DIFFERENCE_KINDS)[number];
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  contentType: string;
  startTimeMs: number;
  endTimeMs: number;
  sessionIds: string[];
  reportedOctets: number;
  chargedOctets: number;
}

interface UsageTotal {
  sponsorId: string;
  applicationId: string;
  reportedOctets: number;
  chargedOctets: number;
  reportedSponsoredOctets: number;
  chargedSponsoredOctets: number;
}

export interface Reconciliation {
  differences: UsageDifference[];
  totals: UsageTotal[];
  /** Overlapping sessions that were compared as one. */
  compared: number;
}

interface Span {
  startTimeMs: number;
  endTimeMs: number;
  reports: ReportedUsage[];
  records: ChargedUsage[];
}

/**
 * Compares the reports of proxies with the engine's charges. Sessions of one subscriber and application that overlap, within
 * the clocks' tolerance, are compared as one, because flow records cannot distinguish concurrent sessions. Content that the
 * plan does not cover has no charge, so it is left out of the reports.
 */
export function reconcile(
  reports: Iterable<ReportedUsage>,
  records: Iterable<ChargedUsage>,
  tolerance: Tolerance,
): Reconciliation {
  const spans = new Map<string, Span[]>();
  const totals = new Map<string, UsageTotal>();
  const add = (of: ReportedUsage | ChargedUsage, span: Span) => {
    const key = `${of.subscriber} ${of.applicationId}`;
    const those = spans.get(key);
    if (those === undefined) spans.set(key, [span]);
    else those.push(span);
    return totalOf(totals, of);
  };
  for (const session of bySession(reports)) {
    const total = add(session.reports[0], session);
    for (const type of SESSION_CONTENT_TYPES) total.reportedOctets += reportedOctets(session.reports, type);
    const usage = session.reports.flatMap(({ usage }) => usage);
    total.reportedSponsoredOctets += sponsoredOctetsOf(usage, session.reports[0].contentShares);
  }
  for (const record of records) {
    const { startTimeMs, endTimeMs, octets, sponsoredOctets } = record;
    const total = add(record, { startTimeMs, endTimeMs, reports: [], records: [record] });
    total.chargedOctets += octets;
    total.chargedSponsoredOctets += sponsoredOctets;
  }
  const compared = [...spans.values()].flatMap((those) => mergeOverlapping(those, tolerance.clockSkewMs));
  const byPlace = (a: UsageTotal, b: UsageTotal) =>
    compareTexts(a.sponsorId, b.sponsorId) || compareTexts(a.applicationId, b.applicationId);
  return {
    differences: compared.flatMap((span) => differencesOf(span, tolerance)),
    totals: [...totals.values()].sort(byPlace),
    compared: compared.length,
  };
}

/** Returns each session's reports, and the time from the first to the last of them. */
function bySession(reports: Iterable<ReportedUsage>): Span[] {
  const sessions = new Map<string, Span>();
  for (const report of reports) {
    const { sessionId, startTimeMs, endTimeMs } = report;
    const session = sessions.get(sessionId) ?? { startTimeMs, endTimeMs, reports: [], records: [] };
    session.startTimeMs = Math.min(session.startTimeMs, startTimeMs);
    session.endTimeMs = Math.max(session.endTimeMs, endTimeMs);
    session.reports.push(report);
    sessions.set(sessionId, session);
  }
  return [...sessions.values()];
}

function mergeOverlapping(spans: readonly Span[], clockSkewMs: number): Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.startTimeMs - b.startTimeMs)) {
    const last = merged.at(-1);
    if (last === undefined || span.startTimeMs > last.endTimeMs + clockSkewMs) {
      merged.push({ ...span, reports: [...span.reports], records: [...span.records] });
    } else {
      last.endTimeMs = Math.max(last.endTimeMs, span.endTimeMs);
      last.reports.push(...span.reports);
      last.records.push(...span.records);
    }
  }
  return merged;
}

function differencesOf({ startTimeMs, endTimeMs, reports, records }: Span, tolerance: Tolerance): UsageDifference[] {
  const { subscriber, sponsorId, applicationId } = reports[0] ?? records[0];
  const sessionIds = [...new Set(reports.map(({ sessionId }) => sessionId))];
  const types = new Set<string>([...SESSION_CONTENT_TYPES, ...records.map(({ contentType }) => contentType)]);
  return [...types].flatMap((contentType): UsageDifference[] => {
    const reported = reportedOctets(reports, contentType);
    const charged = records.reduce((sum, record) => sum + (record.contentType === contentType ? record.octets : 0), 0);
    const allowed = Math.max(tolerance.octets, Math.floor((reported * tolerance.basisPoints) / 10_000));
    if (Math.abs(reported - charged) <= allowed) return [];
    const kind = charged === 0 ? 'only_reported' : reported === 0 ? 'only_charged' : 'octets_differ';
    const place = {
      kind,
      subscriber,
      sponsorId,
      applicationId,
      contentType,
      startTimeMs,
      endTimeMs,
      sessionIds,
    } as const;
    return [{ ...place, reportedOctets: reported, chargedOctets: charged }];
  });
}

function reportedOctets(reports: readonly ReportedUsage[], contentType: string): number {
  let sum = 0;
  for (const { usage, contentShares } of reports) {
    for (const octets of usage) {
      const isCovered = contentShares[octets.contentType as SessionContentType] !== undefined;
      if (octets.contentType === contentType && isCovered) sum += octets.uplinkOctets + octets.downlinkOctets;
    }
  }
  return sum;
}

function totalOf(
  totals: Map<string, UsageTotal>,
  { sponsorId, applicationId }: ReportedUsage | ChargedUsage,
): UsageTotal {
  const key = `${sponsorId} ${applicationId}`;
  const none = { reportedOctets: 0, chargedOctets: 0, reportedSponsoredOctets: 0, chargedSponsoredOctets: 0 };
  const total = totals.get(key) ?? { sponsorId, applicationId, ...none };
  totals.set(key, total);
  return total;
}
