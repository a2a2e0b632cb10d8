import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionContentType } from '../protocol/content-octets.ts';
import type { SessionRequest } from '../protocol/dispatch-messages.ts';
import { type CallOutcome, type CallRequest, Calls } from './calls.ts';
import { type DatagramDial, directDatagrams } from './datagrams.ts';
import { Media, type MediaAnswer } from './media.ts';
import { OctetLedger, type PathKind, type PathOctets } from './octet-ledger.ts';
import { Relays } from './relays.ts';
import { SessionKeeper } from './session-keeper.ts';
import type { Dial, TerminalDestination } from './terminal-dial.ts';
import { TerminalDispatchClient } from './terminal-dispatch-client.ts';
import type { Delivery, ReceivedMessage, TerminalEvent } from './terminal-event.ts';
import { TerminalSessionTags } from './terminal-session-tags.ts';
import { type StatisticsOptions, type StatisticsRow, UsageStatistics } from './usage-statistics.ts';

const ASK_AGAIN_AFTER_MS = 30_000;
const COUNT_INTERVAL_MS = 1000;

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
  /** The answer to an idle prompt, which the proxy waits for so long; no answer in that time is a no. Absent: yes. */
  isStillHere?: (closesInMs: number) => boolean | Promise<boolean>;
  /** How octets are summed up; absent: by day, in UTC. */
  statistics?: Partial<StatisticsOptions>;
  askAgainAfterMs?: number;
}

export interface TerminalStatus {
  /** Null while there is no session. */
  proxyId: string | null;
  /** Why there is none. */
  reason: string | null;
  sponsoredOctetsCap: number;
  usedSponsoredOctets: number;
  remainingOctets: number | null;
}

/** A terminal of one application: its traffic is the sponsor's while there is a session, and continues without. */
export class Terminal {
  readonly #ledger: OctetLedger;
  readonly #statistics: UsageStatistics;
  readonly #counting: NodeJS.Timeout;
  readonly #keeper: SessionKeeper;
  readonly #relays: Relays;
  readonly #media: Media;
  readonly #calls: Calls;

  constructor(options: TerminalOptions) {
    const { dial, onEvent = () => {}, onMessage = () => {}, applicationId } = options;
    const statistics = new UsageStatistics({ period: 'day', timeZone: 'UTC', ...options.statistics, applicationId });
    const ledger = new OctetLedger((use) => statistics.add(use, Date.now()));
    this.#ledger = ledger;
    this.#statistics = statistics;
    // An octet is of the period in which it is counted.
    this.#counting = setInterval(() => ledger.countOpen(), COUNT_INTERVAL_MS).unref();
    this.#keeper = new SessionKeeper({
      client: new TerminalDispatchClient(options.dispatchUrl, dial, ledger),
      request: () => sessionRequest(options),
      askAgainAfterMs: options.askAgainAfterMs ?? ASK_AGAIN_AFTER_MS,
      nowMs: Date.now,
      onEvent,
      usageOf: (sessionId) => ledger.usageOf(sessionId),
      onGrant: (grant) => {
        ledger.countOpen();
        statistics.noteGrant(grant);
      },
    });
    const sessionTags = new TerminalSessionTags({ dial, ledger, nowMs: Date.now });
    const shared = { keeper: this.#keeper, dial, ledger, sessionTags, onEvent };
    const { applicationAccount, directRelayUrl } = options;
    this.#relays = new Relays({
      ...shared,
      applicationAccount,
      directRelayUrl,
      onMessage,
      isStillHere: askOnce(options),
    });
    this.#media = new Media(shared);
    this.#calls = new Calls({ ...shared, datagrams: options.datagrams ?? directDatagrams });
  }

  get status(): TerminalStatus {
    const { grant, reason, usedSponsoredOctets, remainingOctets } = this.#keeper;
    return {
      proxyId: grant?.proxy.proxyId ?? null,
      reason: grant === null ? reason : null,
      sponsoredOctetsCap: grant?.sponsoredOctetsCap ?? 0,
      usedSponsoredOctets,
      remainingOctets,
    };
  }

  /** Octets until now: by period, content type and payer. */
  statistics(): StatisticsRow[] {
    this.#ledger.countOpen();
    return this.#statistics.rows();
  }

  /** Octets on its connections until now. */
  octets(): Record<PathKind, PathOctets> {
    return this.#ledger.totals();
  }

  /** Octets of one content type on its connections and calls through proxies, over all sessions until now. */
  octetsOf(contentType: SessionContentType): PathOctets {
    return this.#ledger.contentTotals(contentType);
  }

  /** Asks for a session, and holds a connection of each content type for what others send. */
  async start(listenTo: readonly SessionContentType[]): Promise<void> {
    await this.#keeper.way();
    for (const contentType of listenTo) await this.#relays.listen(contentType);
  }

  /** One message after the other. */
  send(contentType: SessionContentType, to: string, payload: Uint8Array, name?: string): Promise<Delivery> {
    const message = { messageId: randomUUID(), to, payload, ...(name !== undefined && { name }) };
    return this.#relays.send(contentType, message);
  }

  sendText(to: string, text: string): Promise<Delivery> {
    return this.send('text', to, Buffer.from(text));
  }

  /** Through a tunnel to the application's media host. `contentType` is what is shown: what it is, the proxy knows. */
  upload(url: URL, contentType: SessionContentType, body: Uint8Array): Promise<MediaAnswer> {
    this.#relays.comeBack();
    return this.#media.exchange({ method: 'PUT', url, body }, contentType);
  }

  download(url: URL, contentType: SessionContentType): Promise<MediaAnswer> {
    this.#relays.comeBack();
    return this.#media.exchange({ method: 'GET', url }, contentType);
  }

  /** A call over UDP to the application's media host: paced datagrams for its duration, each answer counted. */
  call(to: TerminalDestination, request: CallRequest): Promise<CallOutcome> {
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
    clearInterval(this.#counting);
  }
}

/** One question at a time, however many connections ask it; no answer within the time is a no. */
function askOnce({ isStillHere = () => true }: TerminalOptions): (closesInMs: number) => Promise<boolean> {
  let asking: Promise<boolean> | null = null;
  return (closesInMs) => {
    asking ??= answeredWithin(closesInMs, isStillHere).finally(() => {
      asking = null;
    });
    return asking;
  };
}

async function answeredWithin(
  timeoutMs: number,
  ask: (closesInMs: number) => boolean | Promise<boolean>,
): Promise<boolean> {
  const given = new AbortController();
  const late = pause(timeoutMs, false, { signal: given.signal, ref: false }).catch(() => false);
  try {
    return await Promise.race([Promise.resolve(ask(timeoutMs)).catch(() => false), late]);
  } finally {
    given.abort();
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
