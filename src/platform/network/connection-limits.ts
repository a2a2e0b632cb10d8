import type { Socket } from 'node:net';
import { addressGroup } from './address-group.ts';

interface ConnectionBounds {
  /** Of all addresses together. */
  connections: number;
  /** Of one IPv4 address or one IPv6 /64. */
  connectionsPerAddress: number;
}

export type ConnectionBound = 'address' | 'total';

export interface ConnectionLimitsOptions extends ConnectionBounds {
  /** Addresses that share no bound by address and are never closed for others: reverse proxies. */
  isExempt?: (address: string) => boolean;
  /** A connection was closed or refused because a bound is reached. */
  onReached: (bound: ConnectionBound) => void;
}

interface Group {
  open: number;
  waiting: Set<Socket>;
}

interface Member {
  key: string;
  group: Group | null;
}

/**
 * Bounds connections by address and in all. A connection waits until it is held: while a request of it is answered, from its
 * admission to a tunnel on, or for good once it has shown a secret. Where a bound is reached, a new connection takes the place of
 * the one that waits longest, so connections that send nothing do not shut out the others; with none that waits, it is refused.
 */
export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions;
  readonly #members = new Map<Socket, Member>();
  readonly #groups = new Map<string, Group>();
  readonly #waiting = new Set<Socket>();
  readonly #trusted = new WeakSet<Socket>();
  readonly #closed: Record<ConnectionBound, number> = { address: 0, total: 0 };

  constructor(options: ConnectionLimitsOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#members.size;
  }

  /** How many connections were closed or refused since the start, by the bound that was reached. */
  get closed(): Readonly<Record<ConnectionBound, number>> {
    return this.#closed;
  }

  /** False when the connection is refused: the caller closes it. */
  enter(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const { connections, connectionsPerAddress, isExempt = () => false } = this.#options;
    const exempt = isExempt(address);
    const key = addressGroup(address);
    const known = this.#groups.get(key);
    if (!exempt && known !== undefined && known.open >= connectionsPerAddress) {
      if (!this.#makeRoom('address', known.waiting)) return false;
    }
    if (this.#members.size >= connections && !this.#makeRoom('total', this.#waiting)) return false;
    const group = exempt ? null : this.#groupOf(key);
    this.#members.set(socket, { key, group });
    if (group !== null) group.open++;
    if (exempt) this.#trusted.add(socket);
    this.release(socket);
    socket.once('close', () => this.#leave(socket));
    return true;
  }

  /** The connection keeps its place until it is released or closed. */
  hold(socket: Socket): void {
    this.#waiting.delete(socket);
    this.#members.get(socket)?.group?.waiting.delete(socket);
  }

  /** The connection keeps its place until it is closed. */
  trust(socket: Socket): void {
    this.#trusted.add(socket);
    this.hold(socket);
  }

  /** The connection waits again, behind all that wait already. */
  release(socket: Socket): void {
    const member = this.#members.get(socket);
    if (member === undefined || this.#trusted.has(socket)) return;
    this.hold(socket);
    this.#waiting.add(socket);
    member.group?.waiting.add(socket);
  }

  #groupOf(key: string): Group {
    const group = this.#groups.get(key) ?? { open: 0, waiting: new Set() };
    this.#groups.set(key, group);
    return group;
  }

  #makeRoom(bound: ConnectionBound, waiting: Set<Socket>): boolean {
    this.#closed[bound]++;
    this.#options.onReached(bound);
    const [longest] = waiting;
    if (longest === undefined) return false;
    this.#leave(longest);
    longest.destroy();
    return true;
  }

  #leave(socket: Socket): void {
    const member = this.#members.get(socket);
    if (member === undefined) return;
    this.hold(socket);
    this.#members.delete(socket);
    const { key, group } = member;
    if (group !== null && --group.open === 0) this.#groups.delete(key);
  }
}
