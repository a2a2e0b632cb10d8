import type { Heartbeat } from '../../protocol/dispatch-messages.ts';

/** A proxy by its last sign of life. */
export interface ProxyStatus extends Heartbeat {
  proxyId: string;
  heardAtMs: number;
  /** Sessions given to it since then, which its own figure does not have yet. */
  givenSessions: number;
  /** By how much its clock is ahead. */
  clockSkewMs: number;
}

export interface Wanted {
  applicationId: string;
  /** Where the terminal would like it to be. */
  region?: string | undefined;
  nowMs: number;
  /** How old a sign of life may be. */
  staleTimeoutMs: number;
  /** How far its clock may be off. */
  maxClockSkewMs: number;
  /** The sessions of a proxy that the dispatch server has and that are open. */
  openSessionsOf: (proxyId: string) => number;
}

/**
 * The proxies that may take the session, in the order to try them: those of the region first. Among equals it is the power of
 * two choices: two are drawn, and the one with the lower share of its capacity in use goes first. The least loaded of all
 * would draw the sessions of every dispatch server until the next sign of life; of two drawn ones it is nearly as good.
 */
export function rankProxies(proxies: Iterable<ProxyStatus>, wanted: Wanted, random: () => number): ProxyStatus[] {
  const fit = [...proxies].filter((proxy) => isFit(proxy, wanted) && hasRoom(proxy, wanted));
  const isNear = ({ region }: ProxyStatus) => region === wanted.region;
  return [
    ...byTwoChoices(fit.filter(isNear), random),
    ...byTwoChoices(
      fit.filter((proxy) => !isNear(proxy)),
      random,
    ),
  ];
}

/** Whether a session may be with the proxy: it is fresh, its clock is good, and it serves the application. */
export function isFit(
  proxy: ProxyStatus,
  { applicationId, nowMs, staleTimeoutMs, maxClockSkewMs }: Omit<Wanted, 'openSessionsOf'>,
): boolean {
  const isFresh = nowMs - proxy.heardAtMs <= staleTimeoutMs;
  return isFresh && Math.abs(proxy.clockSkewMs) <= maxClockSkewMs && proxy.applicationIds.includes(applicationId);
}

function hasRoom(proxy: ProxyStatus, { openSessionsOf }: Wanted): boolean {
  return loadOf(proxy) < 1 && openSessionsOf(proxy.proxyId) < proxy.capacitySessions;
}

function loadOf({ openSessions, givenSessions, capacitySessions }: ProxyStatus): number {
  return (openSessions + givenSessions) / capacitySessions;
}

function byTwoChoices(proxies: readonly ProxyStatus[], random: () => number): ProxyStatus[] {
  const left = [...proxies];
  const ranked: ProxyStatus[] = [];
  while (left.length > 0) {
    const one = Math.floor(random() * left.length);
    const other = (one + 1 + Math.floor(random() * (left.length - 1))) % left.length;
    const at = loadOf(left[other]) < loadOf(left[one]) ? other : one;
    ranked.push(...left.splice(at, 1));
  }
  return ranked;
}
