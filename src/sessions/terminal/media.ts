import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SessionContentType } from '../protocol/content-octets.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { SESSION_TAG_HEADER } from '../protocol/session-tag.ts';
import { type Attempt, takeBestWay } from './best-way.ts';
import { destinationOf, exchange, type HttpAnswer, type HttpAsk, securedAs } from './http-exchange.ts';
import type { OctetLedger } from './octet-ledger.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { type Dial, DialError, type Dialled, type TerminalDestination } from './terminal-dial.ts';
import type { Delivery, TerminalEvent } from './terminal-event.ts';
import type { TerminalSessionTags } from './terminal-session-tags.ts';
import { untilClosed } from './until-closed.ts';

export interface MediaOptions {
  keeper: SessionKeeper;
  dial: Dial;
  ledger: OctetLedger;
  sessionTags: TerminalSessionTags;
  onEvent: (event: TerminalEvent) => void;
}

/** The media host's answer; null when it could not be reached in any way. */
export interface MediaAnswer {
  delivery: Delivery;
  answer: HttpAnswer | null;
}

/** Files to and from the application's media host: each through a tunnel of its own. */
export class Media {
  readonly #options: MediaOptions;

  constructor(options: MediaOptions) {
    this.#options = options;
  }

  async exchange(ask: HttpAsk, contentType: SessionContentType): Promise<MediaAnswer> {
    const { keeper, onEvent } = this.#options;
    const travelled = await takeBestWay(keeper, (grant) => this.#attempt(grant, ask, contentType));
    keeper.noteUsage();
    if (travelled.via === null) return { delivery: travelled, answer: null };
    const { done: answer, ...delivery } = travelled;
    if (delivery.via === 'direct') onEvent({ type: 'direct', contentType, reason: delivery.reason });
    return { delivery, answer };
  }

  async #attempt(
    grant: SessionGrant | null,
    ask: HttpAsk,
    contentType: SessionContentType,
  ): Promise<Attempt<HttpAnswer>> {
    try {
      const opened =
        grant === null
          ? { stream: await this.#direct(ask.url, contentType) }
          : await this.#tunnel(grant, ask.url, contentType);
      if ('refusal' in opened) return opened;
      return { done: await exchange(securedAs(ask.url, opened.stream), ask) };
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      return { refusal: grant === null ? error.code : 'proxy_unreachable' };
    }
  }

  async #direct(url: URL, contentType: SessionContentType): Promise<Duplex> {
    const { dial, ledger } = this.#options;
    return ledger.track('direct', await dial(destinationOf(url)), { sessionId: null, contentType }).socket;
  }

  async #tunnel(grant: SessionGrant, url: URL, contentType: SessionContentType) {
    const { dial, ledger, sessionTags } = this.#options;
    const sessionTag = await sessionTags.of(grant, contentType);
    const dialled = await dial(destinationOf(new URL(grant.proxy.endpoints.connect)));
    const label = { sessionId: grant.sessionId, contentType };
    const opened = await openTunnel(grant, ledger.track('proxy', dialled, label), destinationOf(url), sessionTag);
    if ('refusal' in opened) sessionTags.noteRefusal(opened.refusal);
    return opened;
  }
}

type TunnelOpening = { stream: Duplex } | { refusal: string };

/** HTTP CONNECT through the session's proxy, with a session tag where the application takes them. A refusal is a value; a connection that breaks is `connection_lost`. */
function openTunnel(
  { token, proxy }: SessionGrant,
  dialled: Dialled,
  to: TerminalDestination,
  sessionTag: string | null = null,
): Promise<TunnelOpening> {
  const stream = securedAs(new URL(proxy.endpoints.connect), dialled.socket);
  const authority = `${to.host}:${to.port}`;
  return new Promise((resolve) => {
    const asked = request({
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        'proxy-authorization': `Bearer ${token}`,
        ...(sessionTag !== null && { [SESSION_TAG_HEADER]: sessionTag }),
      },
      createConnection: () => stream as never,
    });
    asked.on('error', () => resolve({ refusal: 'connection_lost' }));
    asked.on('connect', ({ statusCode, headers }) => {
      if (statusCode === 200) return resolve({ stream });
      const reason = headers['zerorate-reason'];
      void readToEnd(stream).then(() =>
        resolve({ refusal: typeof reason === 'string' ? reason : `http_${statusCode}` }),
      );
    });
    asked.end();
  });
}

/** What was sent is read, so that it was counted on both sides. */
async function readToEnd(stream: Duplex): Promise<void> {
  stream.on('error', () => {});
  stream.resume();
  stream.end();
  if (!stream.closed) await untilClosed(stream);
}
