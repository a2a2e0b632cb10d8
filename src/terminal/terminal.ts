import { randomUUID } from 'node:crypto';
import type { ContentType } from '../session-protocol/content-octets.ts';
import type { SessionRequest } from '../session-protocol/dispatch-messages.ts';
import { type CallOutcome, type CallRequest, Calls } from './calls.ts';
import { type DatagramDial, directDatagrams } from './datagrams.ts';
import type { Destination, Dial } from './dial.ts';
import { DispatchClient } from './dispatch-client.ts';
import { Media, type MediaAnswer } from './media.ts';
import { OctetLedger, type PathKind, type PathOctets } from './octet-ledger.ts';
import { Relays } from './relays.ts';
import { SessionKeeper } from './session-keeper.ts';
import { SessionTags } from './session-tags.ts';
import type { Delivery, ReceivedMessage, TerminalEvent } from './terminal-event.ts';

const ASK_AGAIN_AFTER_MS = 30_000;

export interface TerminalOptions {
  msisdn: string;
  /** Of the operator, for this terminal's number and address; asked for each session. */
  identityAssertion: () => Promise<string>;
  /**
   * Of the application, that its account is logged in here, bound to the identity assertion; asked for each session. Absent where
   * the dispatch server has another way of proving accounts.
   */
  accountAssertion?: (identityAssertion: string) => Promise<string>;
  applicationId: string;
  applicationAccount: string;
  region?: string;
  dispatchUrl: string;
  /** WebSocket URL of the application's message server, for when there is no proxy. */
  directRelayUrl: string;
  dial: Dial;
  /** How calls reach hosts and proxies over UDP; absent: from this machine's address. */
  datagrams?: DatagramDial;
  onMessage?: (message: ReceivedMessage) => void;
  onEvent?: (event: TerminalEvent) => void;
  /** The answer to the idle prompt; without it: yes. */
  isStillHere?: () => boolean;
  askAgainAfterMs?: number;
}

export interface TerminalStanding {
  /** Null while there is no session. */
  proxyId: string | null;
  /** Why there is none. */
  reason: string | null;
  sponsoredOctetsCap: number;
  usedSponsoredOctets: number;
  remainingOctets: number | null;
}

/** A terminal of one application: its traffic is the sponsor's while there is a session, and goes on without. */
export class Terminal {
  readonly #ledger = new OctetLedger();
  readonly #keeper: SessionKeeper;
  readonly #relays: Relays;
  readonly #media: Media;
  readonly #calls: Calls;

  constructor(options: TerminalOptions) {
    const { dial, onEvent = () => {}, onMessage = () => {}, isStillHere = () => true } = options;
    const ledger = this.#ledger;
    this.#keeper = new SessionKeeper({
      client: new DispatchClient(options.dispatchUrl, dial, ledger),
      request: () => sessionRequest(options),
      askAgainAfterMs: options.askAgainAfterMs ?? ASK_AGAIN_AFTER_MS,
      nowMs: Date.now,
      onEvent,
      usageOf: (sessionId) => ledger.usageOf(sessionId),
    });
    const sessionTags = new SessionTags({ dial, ledger, nowMs: Date.now });
    const shared = { keeper: this.#keeper, dial, ledger, sessionTags, onEvent };
    const { applicationAccount, directRelayUrl } = options;
    this.#relays = new Relays({ ...shared, applicationAccount, directRelayUrl, onMessage, isStillHere });
    this.#media = new Media(shared);
    this.#calls = new Calls({ ...shared, datagrams: options.datagrams ?? directDatagrams });
  }

  get standing(): TerminalStanding {
    const { grant, reason, usedSponsoredOctets, remainingOctets } = this.#keeper;
    return {
      proxyId: grant?.proxy.proxyId ?? null,
      reason: grant === null ? reason : null,
      sponsoredOctetsCap: grant?.sponsoredOctetsCap ?? 0,
      usedSponsoredOctets,
      remainingOctets,
    };
  }

  /** Octets on its connections until now. */
  octets(): Record<PathKind, PathOctets> {
    return this.#ledger.totals();
  }

  /** Octets of one content type on its connections and calls through proxies, over all sessions until now. */
  octetsOf(contentType: ContentType): PathOctets {
    return this.#ledger.contentTotals(contentType);
  }

  /** Asks for a session, and holds a connection of each content type for what others send. */
  async start(listenTo: readonly ContentType[]): Promise<void> {
    await this.#keeper.way();
    for (const contentType of listenTo) await this.#relays.listen(contentType);
  }

  /** One message after the other. */
  send(contentType: ContentType, to: string, payload: Uint8Array, name?: string): Promise<Delivery> {
    const message = { messageId: randomUUID(), to, payload, ...(name !== undefined && { name }) };
    return this.#relays.send(contentType, message);
  }

  sendText(to: string, text: string): Promise<Delivery> {
    return this.send('text', to, Buffer.from(text));
  }

  /** Through a tunnel to the application's media host. `contentType` is what is shown: what it is, the proxy knows. */
  upload(url: URL, contentType: ContentType, body: Uint8Array): Promise<MediaAnswer> {
    return this.#media.exchange({ method: 'PUT', url, body }, contentType);
  }

  download(url: URL, contentType: ContentType): Promise<MediaAnswer> {
    return this.#media.exchange({ method: 'GET', url }, contentType);
  }

  /** A call over UDP to the application's media host: paced datagrams for its duration, each answer counted. */
  call(to: Destination, request: CallRequest): Promise<CallOutcome> {
    return this.#calls.call(to, request);
  }

  renew(): Promise<void> {
    return this.#keeper.renew();
  }

  /** Closes every connection, one after the other side has, and ends the session. */
  async stop(): Promise<void> {
    await this.#relays.close();
    await this.#keeper.close();
    await this.#ledger.settled();
  }
}

async function sessionRequest(options: TerminalOptions): Promise<SessionRequest> {
  const { msisdn, applicationId, applicationAccount, region } = options;
  const identityAssertion = await options.identityAssertion();
  const accountAssertion = await options.accountAssertion?.(identityAssertion);
  return {
    ...{ msisdn, identityAssertion, applicationId, applicationAccount },
    ...(accountAssertion !== undefined && { accountAssertion }),
    ...(region !== undefined && { region }),
  };
}
