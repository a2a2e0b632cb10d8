import { type UsageReport, usageReportSchema } from '../../protocol/dispatch-messages.ts';
import { REPORT_REFUSALS, type ReportRefusal } from '../../protocol/refusal.ts';
import { type DispatchSession, highestCapOf, type ReportedSequences } from '../dispatch-session.ts';
import { isKnownSequence } from './apply-report.ts';

/** Reports come nearly in order: a number further ahead of the last one without a gap is no report's. */
const MAX_SEQUENCES_AHEAD = 10_000;
const OCTET_FIELDS: ReadonlySet<unknown> = new Set(['uplinkOctets', 'downlinkOctets']);

export interface ReportRefused {
  outcome: 'refused';
  reason: ReportRefusal;
  message: string;
}

/** The report, or why it is none. */
export function readReport(given: unknown): UsageReport | ReportRefused {
  const read = usageReportSchema.safeParse(given);
  if (read.success) return read.data;
  const { issues } = read.error;
  const isOctets = issues.every(({ path }) => OCTET_FIELDS.has(path.at(-1)));
  // Of the place and not of the value: a report may hold anything.
  const places = issues.slice(0, 3).map(({ path, code }) => `${path.join('.') || 'report'} (${code})`);
  return refusedReport(isOctets ? 'octets_invalid' : 'report_malformed', places.join(', '));
}

export interface ReportBounds {
  nowMs: number;
  /** How far the proxy's clock may be off. */
  maxClockSkewMs: number;
  /** Sponsored octets of the session with the report. */
  usedSponsoredOctets: number;
  overshootOctets: number;
}

/** Null when the session can have used what the report says; else why not. The order is the one of REPORT_REFUSALS. */
export function checkReport(report: UsageReport, session: DispatchSession, bounds: ReportBounds): ReportRefused | null {
  const { nowMs, maxClockSkewMs, usedSponsoredOctets, overshootOctets } = bounds;
  const { startTimeMs, endTimeMs } = report;
  const foreign = report.usage.find(({ contentType }) => session.contentShares[contentType] === undefined);
  if (foreign !== undefined) return refusedReport('content_not_covered', foreign.contentType);
  if (endTimeMs < startTimeMs) return refusedReport('time_reversed', `by ${startTimeMs - endTimeMs} ms`);
  const earlyByMs = session.openedAtMs - startTimeMs;
  if (earlyByMs > maxClockSkewMs) return refusedReport('before_session', `by ${earlyByMs} ms`);
  const aheadByMs = endTimeMs - nowMs;
  if (aheadByMs > maxClockSkewMs) return refusedReport('in_future', `by ${aheadByMs} ms`);
  const fault = sequenceFault(report, session.sequences);
  if (fault !== null) return refusedReport('sequence_invalid', fault);
  const limit = highestCapOf(session) + overshootOctets;
  if (usedSponsoredOctets <= limit) return null;
  return refusedReport('cap_exceeded', `${usedSponsoredOctets} octets, of at most ${limit}`);
}

export function refusedReport(reason: ReportRefusal, detail?: string): ReportRefused {
  const message = REPORT_REFUSALS[reason];
  return { outcome: 'refused', reason, message: detail === undefined ? message : `${message}: ${detail}` };
}

function sequenceFault({ sequence, kind }: UsageReport, sequences: ReportedSequences): string | null {
  const { through, ahead, last } = sequences;
  if (isKnownSequence(sequences, sequence)) return `${sequence} is known`;
  if (sequence > through + MAX_SEQUENCES_AHEAD) return `${sequence} is too far ahead of ${through}`;
  if (kind === 'start' && sequence !== 1) return `${sequence} is no start`;
  if (last !== null) return kind === 'end' || sequence > last ? `the session’s last one is ${last}` : null;
  const highest = ahead.at(-1) ?? through;
  return kind === 'end' && sequence < highest ? `an end before ${highest}` : null;
}
