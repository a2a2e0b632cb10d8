import { type NotAdmitted, refused } from '../admission.ts';
import type { UdpLimits } from '../proxy-config-schema.ts';
import type { ProxySession } from '../proxy-session.ts';

/** Counts associations by session, by terminal address and in all. */
export class AssociationGate {
  readonly #limits: UdpLimits;
  readonly #bySession = new Map<ProxySession, number>();
  readonly #byAddress = new Map<string, number>();
  #open = 0;

  constructor(limits: UdpLimits) {
    this.#limits = limits;
  }

  get open(): number {
    return this.#open;
  }

  /** Returns what ends the association's count, or why there can be none. */
  enter(session: ProxySession, terminalIp: string): { leave: () => void } | NotAdmitted {
    const { associations, associationsPerAddress, associationsPerSession } = this.#limits;
    const full = (what: string, limit: number) => refused('too_many_connections', `${what} has ${limit} associations`);
    if (countOf(this.#bySession, session) >= associationsPerSession) return full('the session', associationsPerSession);
    if (countOf(this.#byAddress, terminalIp) >= associationsPerAddress) {
      return full('the address', associationsPerAddress);
    }
    if (this.#open >= associations) return full('the proxy', associations);
    const change = (by: 1 | -1) => {
      this.#open += by;
      add(this.#bySession, session, by);
      add(this.#byAddress, terminalIp, by);
    };
    change(1);
    let hasLeft = false;
    return {
      leave() {
        if (!hasLeft) change(-1);
        hasLeft = true;
      },
    };
  }
}

function countOf<K>(counts: ReadonlyMap<K, number>, key: K): number {
  return counts.get(key) ?? 0;
}

function add<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = countOf(counts, key) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
