import * as z from 'zod';
import { refusalBodySchema } from '../../platform/http/documented-refusals.ts';
import type { HttpRefusal } from '../../platform/http/http-refusal.ts';
import { boundedList } from '../../platform/http/read-message.ts';
import { IDENTIFICATIONS } from '../../rating/catalogue.ts';
import { E164 } from '../../rating/record/msisdn.ts';
import { MAX_ACCOUNT_LENGTH } from './account-name.ts';
import {
  contentOctetsSchema,
  contentSharesSchema,
  contentTypeSchema,
  SESSION_CONTENT_TYPES,
} from './content-octets.ts';
import {
  DISPATCH_REFUSALS,
  type DispatchRefusal,
  REPORT_REFUSALS,
  type ReportRefusal,
  SESSION_ENDINGS,
} from './refusal.ts';
import { SESSION_TAG_TEXT_LENGTH } from './session-tag.ts';

const MAX_URL_LENGTH = 2048;
/** `xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255` */
const MAX_ADDRESS_LENGTH = 45;
/** The dispatch server offers no proxy for more. */
const MAX_APPLICATIONS = 1000;
export const MAX_REPORTS = 1000;
/** One of each content type. */
const MAX_USAGES = SESSION_CONTENT_TYPES.length;
/** Of proxies and sessions. */
export const MAX_ID_LENGTH = 64;
const octets = z.int().min(0);
const timeMs = z.int().min(0);
const count = z.int().min(0).max(1_000_000_000);
const sessionId = z.string().min(1).max(64);
const tokenId = z.string().min(1).max(64);
const proxyId = z.string().min(1).max(64);
const region = z.string().min(1).max(64);
const applicationId = z.string().min(1).max(255);
const sponsorId = z.string().min(1).max(255);
const url = z.url().max(MAX_URL_LENGTH);

/** `POST /v1/sessions`: a terminal asks for a session. */
export const sessionRequestSchema = z.strictObject({
  msisdn: z.string().regex(E164),
  identityAssertion: z.string().min(1).max(4096),
  applicationId,
  /** The sponsor's assertion of the subscriber's account, bound to the identity assertion; where accounts are proven so. */
  accountAssertion: z.string().min(1).max(4096).optional(),
  /**
   * The account that the terminal wants, as a subscriber may have several. It is compared with the accounts that are proven and
   * proves nothing: a request for any other account is refused.
   */
  applicationAccount: z.string().min(1).max(MAX_ACCOUNT_LENGTH).optional(),
  /** Where the terminal would like its proxy to be. */
  region: region.optional(),
});
export type SessionRequest = z.output<typeof sessionRequestSchema>;

/** Session tags as text, by the content type that each is for. */
const sessionTagsSchema = z.partialRecord(
  contentTypeSchema,
  z
    .string()
    .length(SESSION_TAG_TEXT_LENGTH)
    .regex(/^[\w-]+$/),
);
export type SessionTags = z.output<typeof sessionTagsSchema>;

/** 200 of `GET /v1/session-tags` of a proxy's relay endpoint (with the token as `Authorization: Bearer`): tags for the terminal's connections. */
export const sessionTagsAnswerSchema = z.strictObject({ sessionTags: sessionTagsSchema, expiresAtMs: timeMs });
export type SessionTagsAnswer = z.output<typeof sessionTagsAnswerSchema>;

export const proxyEndpointsSchema = z.strictObject({
  connect: url.describe('HTTP CONNECT: `http://host:port`, or `https://` for TLS to the proxy.'),
  socks5: url.describe('`socks5://host:port` (RFC 1928, user and password as RFC 1929).'),
  relay: url.describe('WebSocket relay, `ws://host:port` or `wss://`; connect to `/v1/relay/<content type>`.'),
});
export type ProxyEndpoints = z.output<typeof proxyEndpointsSchema>;

/** 201 of `POST /v1/sessions`, 200 of `POST /v1/sessions/:sessionId/renewal` (with the token as `Authorization: Bearer`). */
export const sessionGrantSchema = z.strictObject({
  sessionId,
  /** For `Proxy-Authorization: Bearer` and as the password of Basic, with the session id as user. */
  token: z.string().min(1).max(4096),
  tokenId,
  tokenExpiresAtMs: timeMs,
  /** base64url of 32 octets; it authenticates messages and makes the SOCKS5 password, and is never in a token. */
  sessionKey: z.string().min(43).max(43),
  proxy: z.strictObject({ proxyId, region, endpoints: proxyEndpointsSchema }),
  sponsoredOctetsCap: octets,
  /** What is left of the subscriber's quota now, this session's cap included; null without a quota. */
  remainingOctets: octets.nullable(),
  contentShares: contentSharesSchema,
  /** As in the catalogue. With terminal_tag the terminal asks its proxy for session tags and sends one with each connection. */
  identifiedBy: z.array(z.enum(IDENTIFICATIONS)).optional(),
});
export type SessionGrant = z.output<typeof sessionGrantSchema>;

export type RefusalReason = HttpRefusal | DispatchRefusal;

/** Body of every refusal of the dispatch server. */
export const refusalSchema = refusalBodySchema(Object.keys(DISPATCH_REFUSALS) as DispatchRefusal[]);
export type Refusal = z.output<typeof refusalSchema>;

/** 200 of `GET /v1/sessions/:sessionId` (with the token): the session's state; `DELETE` ends it, 204. */
export const sessionStatusSchema = z.strictObject({
  sessionId,
  state: z.enum(['open', 'ended', 'revoked']),
  sponsoredOctetsCap: octets,
  /** By the proxy's reports. */
  usedSponsoredOctets: octets,
  remainingOctets: octets.nullable(),
});
export type SessionStatus = z.output<typeof sessionStatusSchema>;

/** `PUT /v1/proxies/:proxyId` (with the proxy's secret as `Authorization: Bearer`): a proxy's sign of life; 200 with `heartbeatAnswerSchema`. */
export const heartbeatSchema = z.strictObject({
  region,
  endpoints: proxyEndpointsSchema,
  /** Where the dispatch server reaches the proxy's control interface. */
  controlUrl: url,
  applicationIds: boundedList(applicationId, { min: 1, max: MAX_APPLICATIONS }),
  openSessions: count,
  capacitySessions: count.min(1),
  octetsPerSecond: octets,
  /** By the proxy's clock. */
  sentAtMs: timeMs.optional(),
  /** By how much the proxy's clock was ahead of the dispatch server's at the last answered sign of life; absent before the first. */
  clockSkewMs: z.int().optional(),
});
export type Heartbeat = z.output<typeof heartbeatSchema>;

/** By the dispatch server's clock: when the sign of life came and when it was answered; the skew is measured between their midpoints. */
export const heartbeatAnswerSchema = z.strictObject({
  nextWithinMs: z.int().min(1).max(86_400_000),
  receivedAtMs: timeMs.optional(),
  answeredAtMs: timeMs.optional(),
});
export type HeartbeatAnswer = z.output<typeof heartbeatAnswerSchema>;

/** `PUT <controlUrl>/v1/sessions/:sessionId` (with the proxy's secret): announces a session, or its new terms; 204. Later revisions win. */
export const announcementSchema = z.strictObject({
  revision: z.int().min(1),
  sessionId,
  tokenId,
  /** From then on the proxy admits no connection by the token, nor by the SOCKS5 user that is its id. */
  tokenExpiresAtMs: timeMs,
  subscriber: z.string().regex(/^[\da-f]{32}$/),
  sponsorId,
  applicationId,
  applicationAccount: z.string().min(1).max(MAX_ACCOUNT_LENGTH),
  terminalIp: z.string().min(1).max(MAX_ADDRESS_LENGTH),
  sessionKey: z.string().min(43).max(43),
  contentShares: contentSharesSchema,
  sponsoredOctetsCap: octets,
  /** What happens when the cap is reached: the session ends, or continues at the subscriber's cost, without the tag. */
  atCap: z.enum(['stop', 'subscriber_pays']),
  /** For the proxy to hand to the terminal, until `tokenExpiresAtMs`; absent for applications that take no tags of terminals. */
  sessionTags: sessionTagsSchema.optional(),
  state: z.enum(['open', 'ended', 'revoked']),
});
export type Announcement = z.output<typeof announcementSchema>;

/**
 * What a proxy reports of a session: at its start, each statistics interval, and at its end. The octets are those since the
 * report before. A report is known by its id: sent twice it counts once.
 */
export const usageReportSchema = z.strictObject({
  reportId: z.uuid(),
  proxyId,
  sessionId,
  /** Of the session: 1, 2, 3 and so on. */
  sequence: z.int().min(1),
  /** The first report alone is a start. */
  kind: z.enum(['start', 'interim', 'end']),
  startTimeMs: timeMs,
  endTimeMs: timeMs,
  /** Each content type at most once. */
  usage: boundedList(contentOctetsSchema, { max: MAX_USAGES }).refine(
    (usage) => new Set(usage.map(({ contentType }) => contentType)).size === usage.length,
    { error: 'a content type is there twice' },
  ),
  ending: z.enum(SESSION_ENDINGS).optional(),
});
export type UsageReport = z.output<typeof usageReportSchema>;

/** `POST /v1/usage-reports` (with the proxy's secret). Each report is read by itself: one that is not of the shape refuses no other. */
export const usageReportsSchema = z.strictObject({ reports: z.array(z.unknown()).min(1).max(MAX_REPORTS) });

/** What became of one report: an accepted one is durable now, a duplicate was before, a refused one is not taken and will not be. */
const reportOutcomeSchema = z.discriminatedUnion('outcome', [
  z.strictObject({ outcome: z.literal('accepted') }),
  z.strictObject({ outcome: z.literal('duplicate') }),
  z.strictObject({
    outcome: z.literal('refused'),
    reason: z.enum(Object.keys(REPORT_REFUSALS) as [ReportRefusal, ...ReportRefusal[]]),
    message: z.string(),
  }),
]);
export type ReportOutcome = z.output<typeof reportOutcomeSchema>;

/**
 * 200 of it: what became of each report, in the order in which they were sent, and the state of the sessions that they are of, so that
 * the proxy learns the quota.
 */
export const usageReportsAnswerSchema = z.strictObject({
  accepted: z.int().min(0),
  /** Duplicates. */
  known: z.int().min(0),
  refused: z.int().min(0),
  outcomes: z.array(reportOutcomeSchema).max(MAX_REPORTS),
  sessions: z
    .array(
      z.strictObject({
        sessionId,
        state: z.enum(['open', 'ended', 'revoked', 'unknown']),
        sponsoredOctetsCap: octets,
        remainingOctets: octets.nullable(),
      }),
    )
    .max(MAX_REPORTS),
});
export type UsageReportsAnswer = z.output<typeof usageReportsAnswerSchema>;

/** One line of `GET /v1/usage-reports?fromMs=&toMs=` (operator's secret; NDJSON): a report with what the dispatch server knows of its session. */
export const reportedUsageSchema = usageReportSchema.extend({
  subscriber: z.string().regex(/^[\da-f]{32}$/),
  sponsorId,
  applicationId,
  contentShares: contentSharesSchema,
});
export type ReportedUsage = z.output<typeof reportedUsageSchema>;
