import type { Heartbeat } from '../session-protocol/dispatch-messages.ts';
import type { ProxyStanding } from './pick-proxy.ts';

/** The configured proxies by their last signs of life. It is not kept: a proxy gives the next one within seconds. */
export class ProxyRegistry {
  readonly #known: ReadonlySet<string>;
  readonly #standings = new Map<string, ProxyStanding>();
  readonly #startedAtMs: number;

  constructor(known: Iterable<string>, startedAtMs: number) {
    this.#known = new Set(known);
    this.#startedAtMs = startedAtMs;
  }

  heard(proxyId: string, heartbeat: Heartbeat, nowMs: number): void {
    this.#standings.set(proxyId, { ...heartbeat, proxyId, heardAtMs: nowMs, givenSessions: 0 });
  }

  /** A session was given to it: its next sign of life will say so itself. */
  given(proxyId: string): void {
    const standing = this.#standings.get(proxyId);
    if (standing !== undefined) standing.givenSessions += 1;
  }

  all(): Iterable<ProxyStanding> {
    return this.#standings.values();
  }

  get(proxyId: string): ProxyStanding | undefined {
    return this.#standings.get(proxyId);
  }

  isKnown(proxyId: string): boolean {
    return this.#known.has(proxyId);
  }

  /** Of one that was not heard since this process started: then. */
  heardAtMs(proxyId: string): number {
    return this.#standings.get(proxyId)?.heardAtMs ?? this.#startedAtMs;
  }
}
