import type { ContentOctets, ContentType } from '../session-protocol/content-octets.ts';
import type { Dialled } from './dial.ts';

export interface PathOctets {
  uplinkOctets: number;
  downlinkOctets: number;
}

/** What a connection is for: asking the dispatch server, a session's traffic, or traffic past the proxies. */
export type PathKind = 'control' | 'proxy' | 'direct';

/** What a connection carries, and by which session; null: by none, at the subscriber's cost. */
export interface SessionLabel {
  sessionId: string | null;
  contentType: ContentType;
}

/** Octets that passed since the last count of their connection. */
export interface OctetUse extends PathOctets {
  kind: PathKind;
  label: SessionLabel | null;
}

interface Entry {
  dialled: Dialled;
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
  readonly #sessions = new Map<string, Map<ContentType, PathOctets>>();
  readonly #onUse: (use: OctetUse) => void;

  /** `onUse` gets every octet once: when its connection closes, or at `countOpen`. */
  constructor(onUse: (use: OctetUse) => void = () => {}) {
    this.#onUse = onUse;
  }

  track(kind: PathKind, dialled: Dialled, label: SessionLabel | null = null): Dialled {
    const entry = { dialled, kind, label, used: none() };
    this.#open.add(entry);
    dialled.socket.on('error', () => {});
    dialled.socket.once('close', () => {
      this.#open.delete(entry);
      add(this.#closed[kind], dialled.octets());
      if (label?.sessionId != null) add(this.#sessionOctets(label.sessionId, label.contentType), dialled.octets());
      this.#use(entry);
    });
    return dialled;
  }

  /** Reports what has passed on open connections since the last time. */
  countOpen(): void {
    for (const entry of this.#open) this.#use(entry);
  }

  /** Of the connections that are open and those that were. */
  totals(): Record<PathKind, PathOctets> {
    const totals = { control: none(), proxy: none(), direct: none() };
    for (const [kind, octets] of Object.entries(this.#closed)) add(totals[kind as PathKind], octets);
    for (const { kind, dialled } of this.#open) add(totals[kind], dialled.octets());
    return totals;
  }

  /** What a session has used, as this terminal counts it. */
  usageOf(sessionId: string): ContentOctets[] {
    const usage = [...(this.#sessions.get(sessionId) ?? [])].map(([contentType, octets]) => ({
      contentType,
      ...octets,
    }));
    for (const { dialled, label } of this.#open) {
      if (label?.sessionId === sessionId) usage.push({ contentType: label.contentType, ...dialled.octets() });
    }
    return usage;
  }

  /** Resolves when no connection is open; breaks those that do not close in time. */
  async settled(): Promise<void> {
    const sockets = [...this.#open].map(({ dialled }) => dialled.socket);
    const given = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, SETTLED_WITHIN_MS);
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))));
    clearTimeout(given);
  }

  #use({ dialled, kind, label, used }: Entry): void {
    const now = dialled.octets();
    const uplinkOctets = now.uplinkOctets - used.uplinkOctets;
    const downlinkOctets = now.downlinkOctets - used.downlinkOctets;
    if (uplinkOctets + downlinkOctets === 0) return;
    add(used, { uplinkOctets, downlinkOctets });
    this.#onUse({ kind, label, uplinkOctets, downlinkOctets });
  }

  #sessionOctets(sessionId: string, contentType: ContentType): PathOctets {
    const session = this.#sessions.get(sessionId) ?? new Map<ContentType, PathOctets>();
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
