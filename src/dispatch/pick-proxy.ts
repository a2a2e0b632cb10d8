import type { Heartbeat } from '../session-protocol/dispatch-messages.ts';

/** A proxy by its last sign of life. */
export interface ProxyStanding extends Heartbeat {
  proxyId: string;
  heardAtMs: number;
  /** Sessions given to it since then, which its own figure does not have yet. */
  givenSessions: number;
}

export interface Wanted {
  applicationId: string;
  /** Where the terminal would like it to be. */
  region?: string | undefined;
  nowMs: number;
  /** How old a sign of life may be. */
  freshForMs: number;
}

/**
 * The proxies that may take the session, in the order to try them: those of the region first. Among equals it is the power of
 * two choices: two are drawn, and the one with the lower share of its capacity in use goes first. The least loaded of all
 * would draw the sessions of every dispatch server until the next sign of life; of two drawn ones it is nearly as good.
 */
export function rankProxies(proxies: Iterable<ProxyStanding>, wanted: Wanted, random: () => number): ProxyStanding[] {
  const fit = [...proxies].filter((proxy) => takes(proxy, wanted));
  const isNear = ({ region }: ProxyStanding) => region === wanted.region;
  return [
    ...byTwoChoices(fit.filter(isNear), random),
    ...byTwoChoices(
      fit.filter((proxy) => !isNear(proxy)),
      random,
    ),
  ];
}

function takes(proxy: ProxyStanding, { applicationId, nowMs, freshForMs }: Wanted): boolean {
  return nowMs - proxy.heardAtMs <= freshForMs && proxy.applicationIds.includes(applicationId) && loadOf(proxy) < 1;
}

function loadOf({ openSessions, givenSessions, capacitySessions }: ProxyStanding): number {
  return (openSessions + givenSessions) / capacitySessions;
}

function byTwoChoices(proxies: readonly ProxyStanding[], random: () => number): ProxyStanding[] {
  const left = [...proxies];
  const ranked: ProxyStanding[] = [];
  while (left.length > 0) {
    const one = Math.floor(random() * left.length);
    const other = (one + 1 + Math.floor(random() * (left.length - 1))) % left.length;
    const at = loadOf(left[other]) < loadOf(left[one]) ? other : one;
    ranked.push(...left.splice(at, 1));
  }
  return ranked;
}
