import {
  type RefusalReason,
  refusalSchema,
  type SessionGrant,
  type SessionRequest,
  sessionGrantSchema,
} from '../protocol/dispatch-messages.ts';
import { destinationOf, exchange, type HttpAnswer, securedAs } from './http-exchange.ts';
import type { OctetLedger } from './octet-ledger.ts';
import type { Dial } from './terminal-dial.ts';

export type GrantOutcome =
  | { grant: SessionGrant; refusal?: undefined }
  | { refusal: RefusalReason | LocalRefusal; message: string; retryAfterMs?: number };

/** Reasons of the terminal's own: there is no answer, or neither network nor application gave an assertion to ask with. */
type LocalRefusal = 'dispatch_unreachable' | 'assertion_unavailable';

/** What a terminal says to the dispatch server. A refusal is a value, and so is a server that does not answer. */
export class TerminalDispatchClient {
  readonly #url: string;
  readonly #dial: Dial;
  readonly #ledger: OctetLedger;

  constructor(url: string, dial: Dial, ledger: OctetLedger) {
    this.#url = url.replace(/\/$/, '');
    this.#dial = dial;
    this.#ledger = ledger;
  }

  openSession(request: SessionRequest): Promise<GrantOutcome> {
    return this.#askForGrant('/v1/sessions', {}, request);
  }

  renew({ sessionId, token }: SessionGrant): Promise<GrantOutcome> {
    return this.#askForGrant(`/v1/sessions/${sessionId}/renewal`, { authorization: `Bearer ${token}` });
  }

  /** The terminal leaves. A server that does not hear of it ends the session in time. */
  async end({ sessionId, token }: SessionGrant): Promise<void> {
    const headers = { authorization: `Bearer ${token}` };
    await this.#ask('DELETE', `/v1/sessions/${sessionId}`, headers).catch(() => {});
  }

  async #askForGrant(path: string, headers: Record<string, string>, body?: object): Promise<GrantOutcome> {
    try {
      return grantOf(await this.#ask('POST', path, headers, body));
    } catch (error) {
      return { refusal: 'dispatch_unreachable', message: (error as Error).message };
    }
  }

  async #ask(method: string, path: string, headers: Record<string, string>, body?: object): Promise<HttpAnswer> {
    const url = new URL(`${this.#url}${path}`);
    const dialled = this.#ledger.track('control', await this.#dial(destinationOf(url)));
    return exchange(securedAs(url, dialled.socket), {
      method,
      url,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: Buffer.from(JSON.stringify(body)) }),
    });
  }
}

function grantOf({ status, body }: HttpAnswer): GrantOutcome {
  const json = JSON.parse(body.toString('utf8'));
  if (status === 200 || status === 201) return { grant: sessionGrantSchema.parse(json) };
  const { reason, message, retryAfterMs } = refusalSchema.parse(json);
  return { refusal: reason, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
