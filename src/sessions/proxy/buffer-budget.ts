import type { BufferLimits } from './proxy-config-schema.ts';
import type { ProxySession } from './proxy-session.ts';

/** What a connection is closed for: the limit of which its memory is the largest part. */
export type BufferScope = 'session' | 'subscriber' | 'total';

/** What holds memory for a terminal: a connection of it. */
export interface BufferHolder {
  /** Frees its memory, and says why where there is a way to say it. */
  overflow(scope: BufferScope): void;
}

/** Of the total: from there on no further connection is taken. */
const FULL_AT = 0.9;

interface Held {
  session: ProxySession;
  bytes: number;
}

/**
 * Adds up the bytes that connections hold for slow readers and unfinished messages: by session, by subscriber and in all. When a limit is
 * exceeded the connection that holds most of it is closed, so that those that hold little continue.
 */
export class BufferBudget {
  readonly #limits: BufferLimits;
  readonly #held = new Map<BufferHolder, Held>();
  readonly #bySession = new Map<string, number>();
  readonly #bySubscriber = new Map<string, number>();
  readonly #closed: Record<BufferScope, number> = { session: 0, subscriber: 0, total: 0 };
  #bytes = 0;

  constructor(limits: BufferLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Connections that were closed, since the start. */
  get closed(): Readonly<Record<BufferScope, number>> {
    return this.#closed;
  }

  /** Whether there is no room for a further connection: what is open already may use all that is left. */
  get isFull(): boolean {
    return this.#bytes >= this.#limits.totalBytes * FULL_AT;
  }

  /** Notes what a connection holds now, and closes the largest of those that exceed a limit together. */
  hold(holder: BufferHolder, session: ProxySession, bytes: number): void {
    this.#set(holder, session, bytes);
    const { sessionId, subscriber } = session.terms;
    const { perSessionBytes, perSubscriberBytes, totalBytes } = this.#limits;
    while (countOf(this.#bySession, sessionId) > perSessionBytes) {
      this.#close('session', (held) => held.session.terms.sessionId === sessionId);
    }
    while (countOf(this.#bySubscriber, subscriber) > perSubscriberBytes) {
      this.#close('subscriber', (held) => held.session.terms.subscriber === subscriber);
    }
    while (this.#bytes > totalBytes) this.#close('total', () => true);
  }

  /** The connection holds nothing any more. */
  release(holder: BufferHolder): void {
    const held = this.#held.get(holder);
    if (held !== undefined) this.#set(holder, held.session, 0);
  }

  #set(holder: BufferHolder, session: ProxySession, bytes: number): void {
    const change = bytes - (this.#held.get(holder)?.bytes ?? 0);
    if (bytes === 0) this.#held.delete(holder);
    else this.#held.set(holder, { session, bytes });
    this.#bytes += change;
    add(this.#bySession, session.terms.sessionId, change);
    add(this.#bySubscriber, session.terms.subscriber, change);
  }

  #close(scope: BufferScope, isOf: (held: Held) => boolean): void {
    let largest: BufferHolder | null = null;
    let most = 0;
    for (const [holder, held] of this.#held) {
      if (held.bytes <= most || !isOf(held)) continue;
      largest = holder;
      most = held.bytes;
    }
    if (largest === null) throw new Error(`no connection holds the ${this.#bytes} bytes that are counted (${scope})`);
    this.#closed[scope]++;
    this.release(largest);
    largest.overflow(scope);
  }
}

function countOf(counts: ReadonlyMap<string, number>, key: string): number {
  return counts.get(key) ?? 0;
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = countOf(counts, key) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
