import { isIP } from 'node:net';
import { contentTypeSchema } from '../protocol/content-octets.ts';
import type { ProxyEndpoints, SessionTags } from '../protocol/dispatch-messages.ts';
import { formatSessionTag, type ProxyPorts, signSessionTag } from '../protocol/session-tag.ts';
import type { DispatchContext } from './context.ts';
import type { DispatchSession } from './dispatch-session.ts';
import { currentTokenKey } from './token-signing-keys.ts';

/**
 * Returns the tags of an open session, one for each content type that the sponsor pays for; undefined when the catalogue does not
 * identify the application by tags of terminals. They expire with the session's token.
 */
export function sessionTagsOf(
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
