import type { ContentOctets, SessionContentType } from '../protocol/content-octets.ts';
import type { Dialled } from './terminal-dial.ts';

/** A connection or a path of datagrams that counts its octets. */
export interface Counted {
  octets(): PathOctets;
}

/** What says when it is closed: a socket, or the path itself. */
interface Closing {
  on(event: 'error', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  destroy(): unknown;
}

export interface PathOctets {
  uplinkOctets: number;
  downlinkOctets: number;
}

/** What a connection is for: asking the dispatch server, a session's traffic, or traffic past the proxies. */
export type PathKind = 'control' | 'proxy' | 'direct';

/** What a connection carries, and by which session; null: by none, at the subscriber's cost. */
export interface SessionLabel {
  sessionId: string | null;
  contentType: SessionContentType;
}

/** Octets that passed since the last count of their connection. */
export interface OctetUse extends PathOctets {
  kind: PathKind;
  label: SessionLabel | null;
}

interface Entry {
  counted: Counted;
  closing: Closing;
  kind: PathKind;
  label: SessionLabel | null;
  /** What `onUse` has had of it. */
  used: PathOctets;
}

const SETTLED_WITHIN_MS = 5000;

/** Counts octets at the transport, by what each connection is for. */
export class OctetLedger {
  readonly #open = new Set<Entry>();
  readonly #closed: Record<PathKind, PathOctets> = { control: none(), proxy: none(), direct: none() };
  /** By session and content type, of the connections that are closed. */
  readonly #sessions = new Map<string, Map<SessionContentType, PathOctets>>();
  readonly #onUse: (use: OctetUse) => void;

  /** `onUse` gets every octet once: when its connection closes, or at `countOpen`. */
  constructor(onUse: (use: OctetUse) => void = () => {}) {
    this.#onUse = onUse;
  }

  track<T extends Dialled | (Counted & Closing)>(kind: PathKind, counted: T, label: SessionLabel | null = null): T {
    const tracked: Dialled | (Counted & Closing) = counted;
    const closing: Closing = 'socket' in tracked ? tracked.socket : tracked;
    const entry = { counted, closing, kind, label, used: none() };
    this.#open.add(entry);
    closing.on('error', () => {});
    closing.once('close', () => {
      this.#open.delete(entry);
      add(this.#closed[kind], counted.octets());
      if (label?.sessionId != null) add(this.#sessionOctets(label.sessionId, label.contentType), counted.octets());
      this.#use(entry);
    });
    return counted;
  }

  /** Reports what has passed on open connections since the last time. */
  countOpen(): void {
    for (const entry of this.#open) this.#use(entry);
  }

  /** Of the connections that are open and those that were. */
  totals(): Record<PathKind, PathOctets> {
    const totals = { control: none(), proxy: none(), direct: none() };
    for (const [kind, octets] of Object.entries(this.#closed)) add(totals[kind as PathKind], octets);
    for (const { kind, counted } of this.#open) add(totals[kind], counted.octets());
    return totals;
  }

  /** Of one content type, over all sessions. */
  contentTotals(contentType: SessionContentType): PathOctets {
    const totals = none();
    for (const session of this.#sessions.values()) add(totals, session.get(contentType) ?? none());
    for (const { counted, label } of this.#open)
      if (label?.sessionId != null && label.contentType === contentType) add(totals, counted.octets());
    return totals;
  }

  /** What a session has used, as this terminal counts it. */
  usageOf(sessionId: string): ContentOctets[] {
    const usage = [...(this.#sessions.get(sessionId) ?? [])].map(([contentType, octets]) => ({
      contentType,
      ...octets,
    }));
    for (const { counted, label } of this.#open) {
      if (label?.sessionId === sessionId) usage.push({ contentType: label.contentType, ...counted.octets() });
    }
    return usage;
  }

  /** Resolves when no connection is open; breaks those that do not close in time. */
  async settled(): Promise<void> {
    const sockets = [...this.#open].map(({ closing }) => closing);
    const given = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, SETTLED_WITHIN_MS);
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))));
    clearTimeout(given);
  }

  #use({ counted, kind, label, used }: Entry): void {
    const now = counted.octets();
    const uplinkOctets = now.uplinkOctets - used.uplinkOctets;
    const downlinkOctets = now.downlinkOctets - used.downlinkOctets;
    if (uplinkOctets + downlinkOctets === 0) return;
    add(used, { uplinkOctets, downlinkOctets });
    this.#onUse({ kind, label, uplinkOctets, downlinkOctets });
  }

  #sessionOctets(sessionId: string, contentType: SessionContentType): PathOctets {
    const session = this.#sessions.get(sessionId) ?? new Map<SessionContentType, PathOctets>();
    this.#sessions.set(sessionId, session);
    const octets = session.get(contentType) ?? none();
    session.set(contentType, octets);
    return octets;
  }
}

function none(): PathOctets {
  return { uplinkOctets: 0, downlinkOctets: 0 };
}

function add(sum: PathOctets, { uplinkOctets, downlinkOctets }: PathOctets): void {
  sum.uplinkOctets += uplinkOctets;
  sum.downlinkOctets += downlinkOctets;
}
