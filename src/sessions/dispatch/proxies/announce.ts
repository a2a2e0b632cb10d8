import { isIP } from 'node:net';
import { ProblemLog } from '../../../platform/telemetry/problem-log.ts';
import { contentTypeSchema } from '../../protocol/content-octets.ts';
import type { ProxyEndpoints, SessionTags } from '../../protocol/dispatch-messages.ts';
import { formatSessionTag, type ProxyPorts, signSessionTag } from '../../protocol/session-tag.ts';
import type { DispatchContext } from '../context.ts';
import { acknowledged, announcementOf, type DispatchSession, withCapOf } from '../dispatch-session.ts';
import { currentTokenKey } from '../token-signing-keys.ts';
import type { AnnouncementProblem } from './proxy-control.ts';

/** Sends the session's proxy its current terms; resolves with null when the proxy has taken them over, else with what went wrong. */
export async function announce(context: DispatchContext, session: DispatchSession): Promise<AnnouncementProblem> {
  const { proxies, control, store, clock } = context;
  const { proxyId, sessionId, revision } = session;
  const proxy = proxies.get(proxyId);
  if (proxy === undefined) return { message: 'the proxy is not registered', kind: 'unreachable' };
  const sessionTags = sessionTagsOf(context, session, proxy.endpoints);
  const announcement = { ...announcementOf(session), ...(sessionTags && { sessionTags }) };
  const problem = await control.announce(proxyId, announcement);
  const problems = proxyProblems(context, proxyId);
  if (problem !== null && problem.kind !== 'over') {
    const consequence = 'a proxy takes no announcements; its sessions are given to others, and it is tried again';
    problems.report(problem.message, consequence);
  }
  if (problem !== null) return problem;
  problems.over('the proxy takes announcements again');
  await store.changeSession(sessionId, (now) => acknowledged(now, revision, clock.nowMs()));
  return null;
}

/**
 * Announces a session whose cap was raised. Where the session has ended at its proxy, the raise is taken back: nothing of it will be used,
 * and what is missing is the end report. Where the proxy cannot be reached it may have the announcement, and the raise stays reserved.
 */
export async function announceRaised(
  context: DispatchContext,
  raised: DispatchSession,
  before: DispatchSession,
): Promise<AnnouncementProblem> {
  const problem = await announce(context, raised);
  if (problem?.kind === 'over') {
    await context.store.changeSession(raised.sessionId, (now) =>
      now.revision === raised.revision ? withCapOf(now, before) : now,
    );
  }
  return problem;
}

/**
 * Announces many sessions to proxies, as far as they are registered. One that does not answer is left for the next sweep after
 * the first session.
 */
export async function announceAll(context: DispatchContext, sessions: readonly DispatchSession[]): Promise<void> {
  const byProxy = new Map<string, DispatchSession[]>();
  for (const session of sessions.filter(({ proxyId }) => context.proxies.get(proxyId) !== undefined)) {
    const those = byProxy.get(session.proxyId);
    if (those === undefined) byProxy.set(session.proxyId, [session]);
    else those.push(session);
  }
  await Promise.all([...byProxy.values()].map((those) => announceTo(context, those)));
}

async function announceTo(context: DispatchContext, sessions: readonly DispatchSession[]): Promise<void> {
  for (const session of sessions) {
    // A session that it does not take holds up no other.
    if ((await announce(context, session))?.kind === 'unreachable') return;
  }
}

const logs = new WeakMap<DispatchContext['proxies'], Map<string, ProblemLog>>();

/** The log of what keeps a proxy from taking announcements: one line when that begins, however often it is tried. */
function proxyProblems({ proxies, logger }: DispatchContext, proxyId: string): ProblemLog {
  const own = logs.get(proxies) ?? new Map<string, ProblemLog>();
  logs.set(proxies, own);
  const log = own.get(proxyId) ?? new ProblemLog(`proxy ${proxyId}`, logger);
  own.set(proxyId, log);
  return log;
}

/**
 * Returns the tags of an open session, one for each content type that the sponsor pays for; undefined when the catalogue does not
 * identify the application by tags of terminals. They expire with the session's token.
 */
function sessionTagsOf(
  { catalogue, store, clock }: Pick<DispatchContext, 'catalogue' | 'store' | 'clock'>,
  session: DispatchSession,
  endpoints: ProxyEndpoints,
): SessionTags | undefined {
  const { sessionId, terminalIp, proxyId, applicationId, contentShares, state, tokenExpiresAtMs } = session;
  const application = catalogue.applications.find(({ id }) => id === applicationId);
  if (state !== 'open' || application?.identifiedBy?.includes('terminal_tag') !== true) return undefined;
  const key = currentTokenKey(store.fact('signingKeys') ?? [], clock.nowMs());
  const claims = { sessionId, terminalIp, proxyId, applicationId, expiresAtMs: tokenExpiresAtMs };
  const bound = { ...claims, ...proxyPlaceOf(endpoints) };
  const covered = contentTypeSchema.options.filter((contentType) => (contentShares[contentType] ?? 0) > 0);
  return Object.fromEntries(
    covered.map((contentType) => [contentType, formatSessionTag(signSessionTag({ ...bound, contentType }, key))]),
  );
}

/** Returns where terminals reach the proxy. No address when its endpoints are given by names or have several. */
export function proxyPlaceOf(endpoints: ProxyEndpoints): { proxyIp: string | null; proxyPorts: ProxyPorts } {
  const urls = [endpoints.connect, endpoints.socks5, endpoints.relay].map((url) => new URL(url));
  const hosts = new Set(urls.map(({ hostname }) => hostname.replace(/^\[|\]$/g, '')));
  const [host] = hosts;
  const [connect, socks5, relay] = urls.map(portOf);
  return { proxyIp: hosts.size === 1 && isIP(host) !== 0 ? host : null, proxyPorts: { connect, socks5, relay } };
}

/** Returns 0 for TLS: a tag within it is not visible to the network. */
function portOf({ protocol, port }: URL): number {
  if (protocol === 'https:' || protocol === 'wss:') return 0;
  return Number(port || (protocol === 'socks5:' ? 1080 : 80));
}
