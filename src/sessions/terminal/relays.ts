import type { SessionContentType } from '../protocol/content-octets.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { messageMac, type RelayMessage, type RelayNotice } from '../protocol/relay-message.ts';
import { SESSION_TAG_HEADER } from '../protocol/session-tag.ts';
import { type Attempt, takeBestWay } from './best-way.ts';
import { destinationOf } from './http-exchange.ts';
import type { OctetLedger } from './octet-ledger.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { type Dial, DialError } from './terminal-dial.ts';
import type { Delivery, ReceivedMessage, TerminalEvent } from './terminal-event.ts';
import { TerminalRelayConnection } from './terminal-relay-connection.ts';
import type { TerminalSessionTags } from './terminal-session-tags.ts';

/** After a connection was lost. */
const LISTEN_AGAIN_AFTER_MS = 500;
/** Who listens past the proxies looks so often whether there is a session again. */
const LISTEN_ELSEWHERE_AFTER_MS = 5000;

export interface OutgoingMessage {
  messageId: string;
  to: string;
  payload: Uint8Array;
  name?: string;
}

export interface RelaysOptions {
  keeper: SessionKeeper;
  dial: Dial;
  ledger: OctetLedger;
  sessionTags: TerminalSessionTags;
  applicationAccount: string;
  directRelayUrl: string;
  onMessage: (message: ReceivedMessage) => void;
  onEvent: (event: TerminalEvent) => void;
  /** The answer to an idle prompt, which the proxy waits for so long. */
  isStillHere: (closesInMs: number) => Promise<boolean>;
}

interface HeldConnection {
  connection: TerminalRelayConnection;
  /** Null: straight to the application. */
  sessionId: string | null;
}

/** The terminal's connections for messages: one for each content type, by the session or past it. */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #held = new Map<SessionContentType, HeldConnection>();
  /** By content type: when it is listened to again. */
  readonly #listening = new Map<SessionContentType, NodeJS.Timeout | undefined>();
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  /** An idle prompt was not answered: nothing is listened to until the terminal sends again. */
  #isAway = false;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** Holds a connection of the content type from now on, whatever happens to it. */
  async listen(contentType: SessionContentType): Promise<void> {
    this.#listening.set(contentType, undefined);
    await this.#inTurn(async () => {
      if (this.#isClosed) return;
      const { keeper } = this.#options;
      const before = this.#held.get(contentType)?.connection;
      const travelled = await takeBestWay(keeper, async (grant) => {
        const opened = await this.#connection(contentType, grant);
        return 'refusal' in opened ? opened : { done: null };
      });
      if (travelled.via === 'proxy') return;
      const isOther = this.#held.get(contentType)?.connection !== before;
      if (travelled.via === 'direct' && isOther) this.#wentDirect(contentType, travelled.reason);
      this.#listenAgain(contentType, LISTEN_ELSEWHERE_AFTER_MS);
    });
  }

  /** One at a time: a session's messages have to arrive in their order, whichever connection they are on. */
  send(contentType: SessionContentType, message: OutgoingMessage): Promise<Delivery> {
    this.comeBack();
    return this.#inTurn(async () => {
      const { keeper } = this.#options;
      const travelled = await takeBestWay(keeper, (grant) => this.#attempt(contentType, grant, message));
      keeper.noteUsage();
      if (travelled.via === null) return travelled;
      const { done: _, ...delivery } = travelled;
      if (delivery.via === 'direct') this.#wentDirect(contentType, delivery.reason);
      return delivery;
    });
  }

  /** The user is there: listens again to what was listened to before an idle prompt was not answered. */
  comeBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    for (const contentType of this.#listening.keys()) this.#listenAgain(contentType, 0);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#listening.values()) clearTimeout(timer);
    await this.#turn;
    await Promise.all([...this.#held.values()].map(({ connection }) => connection.close()));
    this.#held.clear();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #attempt(
    contentType: SessionContentType,
    grant: SessionGrant | null,
    message: OutgoingMessage,
  ): Promise<Attempt<null>> {
    const opened = await this.#connection(contentType, grant);
    if ('refusal' in opened) return opened;
    const sent = await opened.connection.send(this.#composed(contentType, grant, message));
    return sent === 'accepted' ? { done: null } : sent;
  }

  #composed(contentType: SessionContentType, grant: SessionGrant | null, message: OutgoingMessage): RelayMessage {
    const { keeper, applicationAccount } = this.#options;
    const { payload, ...header } = message;
    if (grant === null) return { header: { ...header, sequence: 0, from: applicationAccount }, payload };
    const composed = { header: { ...header, sequence: keeper.takeSequence() }, payload };
    const key = Buffer.from((keeper.grant ?? grant).sessionKey, 'base64url');
    return { header: { ...composed.header, mac: messageMac(key, contentType, composed) }, payload };
  }

  /** The connection that there is, when it is of this way; else another one. */
  async #connection(
    contentType: SessionContentType,
    grant: SessionGrant | null,
  ): Promise<{ connection: TerminalRelayConnection } | { refusal: string }> {
    const held = this.#held.get(contentType);
    const sessionId = grant?.sessionId ?? null;
    if (held?.connection.isOpen && held.sessionId === sessionId) return held;
    this.#held.delete(contentType);
    await held?.connection.close();
    try {
      const opened = await (grant === null ? this.#openDirect(contentType) : this.#openThrough(contentType, grant));
      if ('connection' in opened) this.#held.set(contentType, { connection: opened.connection, sessionId });
      return opened;
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      return { refusal: grant === null ? error.code : 'proxy_unreachable' };
    }
  }

  async #openThrough(contentType: SessionContentType, grant: SessionGrant) {
    const { dial, ledger, sessionTags } = this.#options;
    const { sessionId, token, proxy } = grant;
    const sessionTag = await sessionTags.of(grant, contentType);
    const url = new URL(`/v1/relay/${contentType}`, proxy.endpoints.relay);
    const dialled = ledger.track('proxy', await dial(destinationOf(url)), { sessionId, contentType });
    const opened = await TerminalRelayConnection.open({
      url,
      dialled,
      headers: {
        authorization: `Bearer ${token}`,
        ...(sessionTag !== null && { [SESSION_TAG_HEADER]: sessionTag }),
      },
      isAcknowledged: true,
      ...this.#handlers(contentType, sessionId),
    });
    if ('refusal' in opened) sessionTags.noteRefusal(opened.refusal);
    return opened;
  }

  async #openDirect(contentType: SessionContentType) {
    const { dial, ledger, directRelayUrl, applicationAccount } = this.#options;
    const url = new URL(directRelayUrl);
    url.searchParams.set('account', applicationAccount);
    url.searchParams.set('contentType', contentType);
    const dialled = ledger.track('direct', await dial(destinationOf(url)), { sessionId: null, contentType });
    return TerminalRelayConnection.open({ url, dialled, isAcknowledged: false, ...this.#handlers(contentType, null) });
  }

  #handlers(contentType: SessionContentType, sessionId: string | null) {
    const { onMessage } = this.#options;
    return {
      onMessage: ({ header, payload }: RelayMessage) => {
        const { messageId, from = '', name } = header;
        const received = { contentType, messageId, from, payload: Buffer.from(payload) };
        onMessage({ ...received, ...(name !== undefined && { name }) });
        this.#options.keeper.noteUsage();
      },
      onNotice: (notice: RelayNotice) => this.#heed(contentType, sessionId, notice),
      onLost: (reason: string) => this.#lost(contentType, sessionId, reason),
    };
  }

  #heed(contentType: SessionContentType, sessionId: string | null, notice: RelayNotice): void {
    const { keeper, onEvent, isStillHere } = this.#options;
    if (notice.type === 'quota' && sessionId !== null) {
      keeper.noteQuota(sessionId, notice);
      onEvent(notice);
    } else if (notice.type === 'idle_prompt') {
      void isStillHere(notice.closesInMs).then((isAnswered) => {
        this.#isAway = !isAnswered;
        if (isAnswered) this.#held.get(contentType)?.connection.stillHere();
        onEvent({ ...notice, isAnswered });
      });
    }
  }

  #lost(contentType: SessionContentType, sessionId: string | null, reason: string): void {
    const { grant } = this.#options.keeper;
    if (grant !== null && grant.sessionId === sessionId) this.#options.keeper.forget(grant, reason);
    if (this.#isAway && reason === 'idle') return;
    if (this.#listening.has(contentType)) this.#listenAgain(contentType, LISTEN_AGAIN_AFTER_MS);
  }

  #listenAgain(contentType: SessionContentType, afterMs: number): void {
    clearTimeout(this.#listening.get(contentType));
    if (this.#isClosed) return;
    const timer = setTimeout(() => void this.listen(contentType), afterMs);
    this.#listening.set(contentType, timer.unref());
  }

  #wentDirect(contentType: SessionContentType, reason: string): void {
    this.#options.onEvent({ type: 'direct', contentType, reason });
  }
}
