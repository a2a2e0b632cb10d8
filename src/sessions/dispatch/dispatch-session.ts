import type { ContentOctets, ContentShares } from '../protocol/content-octets.ts';
import type { Announcement } from '../protocol/dispatch-messages.ts';
import type { SessionEnding } from '../protocol/refusal.ts';
import type { VerifiedAccount } from './accounts/account-verifier.ts';

/** Which of a session's reports are here. */
export interface ReportedSequences {
  /** All from 1 up to this one. */
  through: number;
  /** Beyond a gap, ascending. */
  ahead: number[];
  /** The number of the session's end report; null while it has not come. */
  last: number | null;
}

/** A session as the dispatch server holds it. */
export interface DispatchSession {
  sessionId: string;
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  /** As a verifier has proven it when the session was opened. It never changes. */
  readonly applicationAccount: VerifiedAccount;
  /** Absent in sessions that were opened before accounts were verified: these are revoked. */
  readonly isAccountVerified?: true;
  terminalIp: string;
  proxyId: string;
  planId: string;
  planVersion: number;
  contentShares: ContentShares;
  /** base64url of 32 octets. */
  sessionKey: string;
  atCap: Announcement['atCap'];
  state: Announcement['state'];
  ending: SessionEnding | null;
  /** Of the announcement: grows with every change that the proxy has to know. */
  revision: number;
  acknowledgedRevision: number;
  /** When the proxy acknowledged that the session is over; null until then. */
  overAcknowledgedAtMs: number | null;
  tokenId: string;
  tokenExpiresAtMs: number;
  /** Counted from the session's start. */
  sponsoredOctetsCap: number;
  /** The highest cap that the proxy may act on: a lower one counts once it is acknowledged. */
  grantedCap: number;
  /** The highest cap that it ever had; absent in sessions of before this was kept. */
  highestCap?: number;
  /** By the proxy's reports, from the session's start. */
  usage: ContentOctets[];
  usedSponsoredOctets: number;
  sequences: ReportedSequences;
  openedAtMs: number;
  lastReportAtMs: number;
  /** Nothing is reserved for it any more. */
  isSettled: boolean;
}

/** What the session was given and has not reported: no other session gets it until this one is settled. */
export function reservedOctets({ isSettled, grantedCap, usedSponsoredOctets }: DispatchSession): number {
  return isSettled ? 0 : Math.max(0, grantedCap - usedSponsoredOctets);
}

/** Whether all reports up to and with the session's end are here, so that nothing of it is still to come. */
export function isWhollyReported({ sequences: { through, last } }: DispatchSession): boolean {
  return last !== null && through >= last;
}

/** An open session that is over from now on; its proxy has yet to hear of it. */
export function over(session: DispatchSession, state: 'ended' | 'revoked', ending: SessionEnding): DispatchSession {
  return { ...session, state, ending, revision: session.revision + 1 };
}

/** An open session under another cap; its proxy has yet to hear of it. */
export function withCap(session: DispatchSession, cap: number): DispatchSession {
  const grantedCap = Math.max(session.grantedCap, cap);
  const highestCap = Math.max(highestCapOf(session), cap);
  return { ...session, sponsoredOctetsCap: cap, grantedCap, highestCap, revision: session.revision + 1 };
}

/** What a session's cap was, and may not be any more: its proxy has ended it without taking the higher one. */
export function withCapOf(session: DispatchSession, before: DispatchSession): DispatchSession {
  const { sponsoredOctetsCap, grantedCap, highestCap } = before;
  return { ...session, sponsoredOctetsCap, grantedCap, ...(highestCap !== undefined && { highestCap }) };
}

/** The most sponsored octets that the session was ever granted. */
export function highestCapOf({
  highestCap = 0,
  grantedCap,
  sponsoredOctetsCap,
  usedSponsoredOctets,
}: DispatchSession): number {
  // Of a session without the field: at least what was taken as used.
  return highestCap > 0 ? highestCap : Math.max(grantedCap, sponsoredOctetsCap, usedSponsoredOctets);
}

/** The proxy has taken over a revision of the session. */
export function acknowledged(session: DispatchSession, revision: number, nowMs: number): DispatchSession {
  if (revision <= session.acknowledgedRevision) return session;
  const isCurrent = revision === session.revision;
  const isOver = session.state !== 'open' && isCurrent;
  return {
    ...session,
    acknowledgedRevision: revision,
    grantedCap: isCurrent ? session.sponsoredOctetsCap : session.grantedCap,
    overAcknowledgedAtMs: isOver ? (session.overAcknowledgedAtMs ?? nowMs) : session.overAcknowledgedAtMs,
  };
}

export function announcementOf(session: DispatchSession): Announcement {
  const { revision, sessionId, tokenId, tokenExpiresAtMs, subscriber, sponsorId } = session;
  const { applicationId, applicationAccount, terminalIp, sessionKey, contentShares } = session;
  const { sponsoredOctetsCap, atCap, state } = session;
  return {
    revision,
    sessionId,
    tokenId,
    tokenExpiresAtMs,
    subscriber,
    sponsorId,
    applicationId,
    applicationAccount,
    terminalIp,
    sessionKey,
    contentShares,
    sponsoredOctetsCap,
    atCap,
    state,
  };
}
