import { isIPv6 } from 'node:net';
import type { Clock } from '../../../platform/clock.ts';
import type { Socks5Destination } from '../../../platform/network/socks5.ts';
import { type Admission, type Admitted, type NotAdmitted, refused } from '../admission.ts';
import { canonicalIp } from '../private-address.ts';
import type { UdpLimits } from '../proxy-config-schema.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { DatagramDrop } from './datagram-drops.ts';

/** A host and port that an association sends to. Its name is resolved once, and what was checked is what is sent to. */
export interface UdpDestination {
  state: 'pending' | 'ready' | DatagramDrop;
  address: string;
  port: number;
}

export interface UdpDestinationsOptions {
  admission: Admission;
  session: ProxySession;
  /** Of the control connection. */
  sessionTags: readonly string[];
  clock: Clock;
  limits: UdpLimits;
  /** A host is admitted. Returns why its datagrams are dropped all the same, or null. */
  onAdmitted(admitted: Admitted): DatagramDrop | null;
  onRefused(refusal: NotAdmitted): void;
  /** What waited for a destination can continue, or is to be dropped. */
  onDecided(): void;
}

/** Where the datagrams of one association may go, and from where it is answered: hosts of the application that it sent to. */
export class UdpDestinations {
  readonly #options: UdpDestinationsOptions;
  readonly #byName = new Map<string, UdpDestination>();
  /** By address and port: when something was sent there last, monotonic. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(options: UdpDestinationsOptions) {
    this.#options = options;
  }

  /** The destination, on its way to be decided if it is a new one; null when there are as many as there may be. */
  find({ host, port }: Socks5Destination): UdpDestination | null {
    const key = `${host.toLowerCase()}|${port}`;
    const known = this.#byName.get(key);
    if (known !== undefined) return known;
    if (this.#byName.size >= this.#options.limits.destinations) return null;
    const destination: UdpDestination = { state: 'pending', address: '', port };
    this.#byName.set(key, destination);
    void this.#decide(destination, host);
    return destination;
  }

  /** Whether the association may be answered from there: only what was asked, and not long ago. */
  isAsked(address: string, port: number): boolean {
    const { clock, limits } = this.#options;
    const askedAtMs = this.#askedAtMs.get(keyOf(address, port));
    return askedAtMs !== undefined && clock.monotonicMs() - askedAtMs < limits.idleTimeoutMs;
  }

  noteAsked({ address, port }: UdpDestination): void {
    this.#askedAtMs.set(keyOf(address, port), this.#options.clock.monotonicMs());
  }

  async #decide(destination: UdpDestination, host: string): Promise<void> {
    const { admission, session, sessionTags, onAdmitted, onRefused, onDecided } = this.#options;
    const { port } = destination;
    const admitted = await admission
      .admitDatagrams(session, { host, port }, sessionTags)
      .catch((error: Error): NotAdmitted => refused('upstream_failed', error.message));
    if ('refusal' in admitted) {
      destination.state = 'refused';
      onRefused(admitted);
    } else {
      // As IPv4 where it is IPv4 within IPv6.
      destination.address = canonicalIp(admitted.destination?.addresses[0] ?? '') ?? '';
      destination.state = onAdmitted(admitted) ?? 'ready';
    }
    onDecided();
  }
}

function keyOf(address: string, port: number): string {
  return `${canonicalIp(address)}|${port}`;
}

/** What a socket that sends to this address has to be. */
export function familyOf(address: string): 'udp4' | 'udp6' {
  const ip = canonicalIp(address);
  return ip !== null && isIPv6(ip) ? 'udp6' : 'udp4';
}
