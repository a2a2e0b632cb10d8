import type { SessionContentType } from '../protocol/content-octets.ts';
import { type SessionGrant, type SessionTagsAnswer, sessionTagsAnswerSchema } from '../protocol/dispatch-messages.ts';
import { destinationOf, exchange, securedAs } from './http-exchange.ts';
import type { OctetLedger } from './octet-ledger.ts';
import type { Dial } from './terminal-dial.ts';

/** So long before it expires a tag is asked for again: it must be valid when the gateway reads it. */
const RENEW_BEFORE_MS = 5000;

export interface TerminalSessionTagsOptions {
  dial: Dial;
  ledger: OctetLedger;
  nowMs: () => number;
}

/** Session tags that the proxy has handed out: asked for once for each token, and again when one is refused or about to expire. */
export class TerminalSessionTags {
  readonly #options: TerminalSessionTagsOptions;
  #tokenId: string | null = null;
  #asking: Promise<SessionTagsAnswer | null> | null = null;
  #answer: SessionTagsAnswer | null = null;

  constructor(options: TerminalSessionTagsOptions) {
    this.#options = options;
  }

  /** Returns the tag for a connection of the session; null when its application takes none or the proxy has none. */
  async of(grant: SessionGrant, contentType: SessionContentType): Promise<string | null> {
    if (grant.identifiedBy?.includes('terminal_tag') !== true) return null;
    const isDue = this.#answer !== null && this.#answer.expiresAtMs - this.#options.nowMs() < RENEW_BEFORE_MS;
    if (grant.tokenId !== this.#tokenId || isDue) this.#forget();
    this.#tokenId = grant.tokenId;
    this.#answer ??= await this.#ask(grant);
    return this.#answer?.sessionTags[contentType] ?? null;
  }

  /** A connection was refused: if that was for its tag, the next one is asked for. */
  noteRefusal(refusal: string): void {
    if (refusal.startsWith('tag_')) this.#forget();
  }

  #forget(): void {
    this.#answer = null;
    this.#asking = null;
  }

  /** Connections that are opened at the same time ask once. */
  #ask(grant: SessionGrant): Promise<SessionTagsAnswer | null> {
    const asking = this.#asking ?? this.#fetch(grant);
    this.#asking = asking;
    return asking.finally(() => {
      if (this.#asking === asking) this.#asking = null;
    });
  }

  async #fetch({ token, proxy }: SessionGrant): Promise<SessionTagsAnswer | null> {
    const { dial, ledger } = this.#options;
    const relay = new URL(proxy.endpoints.relay);
    const url = new URL('/v1/session-tags', `${relay.protocol === 'wss:' ? 'https' : 'http'}://${relay.host}`);
    try {
      const { socket } = ledger.track('proxy', await dial(destinationOf(url)));
      const headers = { authorization: `Bearer ${token}` };
      const { status, body } = await exchange(securedAs(url, socket), { method: 'GET', url, headers });
      return status === 200 ? sessionTagsAnswerSchema.parse(JSON.parse(body.toString())) : null;
    } catch {
      // The connection that follows meets the same and reports it, or is refused by name as it has no tag.
      return null;
    }
  }
}
