import type { SessionContentType } from '../protocol/content-octets.ts';

interface Terms {
  sponsoredOctetsCap: number;
  /** Null without a quota. */
  remainingOctets: number | null;
}

/** What a terminal shows of itself. */
export type TerminalEvent =
  | ({ type: 'session'; sessionId: string; proxyId: string } & Terms)
  | ({ type: 'renewed'; sessionId: string } & Terms)
  | { type: 'renewal_refused'; reason: string; message: string }
  /** The dispatch server gives no session: what follows is at the subscriber's cost. */
  | { type: 'refused'; reason: string; message: string }
  | ({ type: 'quota'; usedSponsoredOctets: number } & Terms)
  | { type: 'session_lost'; reason: string }
  /** This went past the proxies. */
  | { type: 'direct'; contentType: SessionContentType; reason: string }
  | { type: 'idle_prompt'; closesInMs: number; isAnswered: boolean };

/** What became of a message or a file: the way that it went, or why it went none. */
export type Delivery = { via: 'proxy' } | { via: 'direct'; reason: string } | { via: null; reason: string };

export interface ReceivedMessage {
  contentType: SessionContentType;
  messageId: string;
  from: string;
  name?: string;
  payload: Buffer;
}
