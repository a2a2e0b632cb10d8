/**
 * Why a dispatch server gives no session, in the order in which it looks. Each answer has one.
 */
export const DISPATCH_REFUSALS = {
  rate_limited: 'too many requests of this subscriber or this address',
  starting: 'the dispatch server has just been started and does not know quotas and suspensions yet',
  invalid_request: 'the request is not of the documented shape',
  assertion_invalid: 'the identity assertion is forged, of another issuer, or not readable',
  assertion_expired: 'the identity assertion has expired',
  assertion_mismatch: 'the identity assertion is of another MSISDN or another address',
  unknown_application: 'no application of this id in the catalogue',
  account_unverified: 'the application account is not proven, or cannot be verified now',
  account_bound: 'the application account is bound to as many other subscribers as the application allows',
  sponsor_suspended: 'the sponsor is suspended',
  no_plan: 'no plan of the application is in force now',
  evidence_not_in_force: 'no tag, prefix or identity that the application’s traffic is recognised by is in force now',
  quota_exhausted: 'the unused quota is at most the plan’s allocateAboveOctets',
  quota_reserved: 'what is left of the quota is reserved for other sessions of the subscriber that are not settled yet',
  too_many_sessions: 'the subscriber has the maximum number of sessions that are open or not settled',
  no_proxy: 'no proxy of the application has both free capacity and a recent heartbeat',
  session_unknown: 'no session of this id',
  session_over: 'the session has ended or was revoked',
  token_invalid: 'the token is not one of this session',
} as const;

export type DispatchRefusal = keyof typeof DISPATCH_REFUSALS;

/** Why a dispatch server refuses a call of a proxy, in the order in which it looks. */
export const REGISTRATION_REFUSALS = {
  token_invalid: 'neither the secret nor the client certificate is one of a configured proxy',
  other_proxy: 'the secret or client certificate is the one of another proxy',
  control_url_not_pinned: 'the control URL is not the one that the dispatch server’s configuration has for this proxy',
  endpoint_not_pinned:
    'an advertised address is not the one that the dispatch server’s configuration has for this proxy',
  application_not_pinned: 'the dispatch server’s configuration does not have the application for this proxy',
} as const;

export type RegistrationRefusal = keyof typeof REGISTRATION_REFUSALS;

/** Why a dispatch server does not take a usage report, in the order in which it looks. */
export const REPORT_REFUSALS = {
  report_malformed: 'the report is not of the documented shape',
  octets_invalid: 'octets are whole numbers from 0 to 2^48 - 1',
  other_proxy: 'the report names another proxy than the one that sent it',
  report_conflict: 'a report of this id is known, with other content',
  session_unknown: 'the dispatch server gave this proxy no such session',
  content_not_covered: 'the plan of the session covers no such content',
  time_reversed: 'it ends before it starts',
  before_session: 'it starts before the session was opened, by more than the tolerated clock skew',
  in_future: 'it ends in the future, by more than the tolerated clock skew',
  sequence_invalid: 'the sequence number is known from another report, comes after the end report, or is too far ahead',
  cap_exceeded: 'with it the session has used more than it was ever granted, by more than the tolerated overshoot',
} as const;

export type ReportRefusal = keyof typeof REPORT_REFUSALS;

/** Why a proxy server turns a connection or a message away, in the order in which it looks. */
export const PROXY_REFUSALS = {
  token_missing: 'no token',
  token_invalid: 'forged, of an unknown key, of another algorithm, or not readable',
  token_expired: 'the token has expired',
  other_proxy: 'the token is bound to another proxy',
  session_unknown: 'the dispatch server announced no such session to this proxy',
  session_over: 'the session has ended or was revoked',
  token_replayed: 'the token comes from another address than the one it was given to',
  tag_from_terminal: 'the terminal sent a zero-rating tag, or a session tag for an application that takes none',
  host_not_allowed: 'the host is not one of the application',
  private_destination: 'the host is at a private address',
  tag_missing: 'the application is identified by session tags of its terminals, and the connection has none',
  tag_forged: 'the session tag is forged, of an unknown key, repeated, or not readable',
  tag_expired: 'the session tag has expired',
  tag_foreign: 'the session tag is of another session, terminal, proxy, application or content type',
  content_not_covered: 'the plan covers no such content, and the session pays for nothing else',
  cap_reached: 'the session has used its cap',
  too_many_connections: 'the session has the maximum number of open connections',
  buffers_full: 'slow readers and unfinished messages hold as much memory as they may',
  message_invalid: 'the message is not of the documented shape',
  message_too_large: 'larger than the limit for one message',
  message_forged: 'the message does not verify with the session key',
  message_replayed: 'a message of this or a later sequence number was seen',
  upstream_failed: 'the application cannot be reached',
} as const;

export type ProxyRefusal = keyof typeof PROXY_REFUSALS;

/** Why a session ended. */
export const SESSION_ENDINGS = ['terminal_left', 'cap_reached', 'idle', 'revoked', 'expired', 'proxy_stopped'] as const;
export type SessionEnding = (typeof SESSION_ENDINGS)[number];
