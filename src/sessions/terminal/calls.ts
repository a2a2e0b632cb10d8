import { setTimeout as pause } from 'node:timers/promises';
import { parseSocks5Datagram, socks5Datagram } from '../../platform/network/socks5-datagram.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { socks5Password, taggedSocks5Password } from '../protocol/relay-message.ts';
import { TAG_ACCEPTED } from '../protocol/tag-datagram.ts';
import { associate } from './associate.ts';
import { type Attempt, takeBestWay } from './best-way.ts';
import type { DatagramDial, DatagramPath } from './datagrams.ts';
import { destinationOf } from './http-exchange.ts';
import type { OctetLedger } from './octet-ledger.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { type Dial, DialError, type Dialled, type TerminalDestination } from './terminal-dial.ts';
import type { Delivery, TerminalEvent } from './terminal-event.ts';
import type { TerminalSessionTags } from './terminal-session-tags.ts';

type CallContent = 'voice' | 'video';

/** As G.711 in RTP (20 ms), and as video of about 500 kbit/s. */
const PACES: Readonly<Record<CallContent, { intervalMs: number; payloadOctets: number }>> = {
  voice: { intervalMs: 20, payloadOctets: 172 },
  video: { intervalMs: 16, payloadOctets: 1000 },
};
/** The other side's last datagrams are waited for: until none came for so long, and no longer than the second. */
const QUIET_MS = 300;
const QUIET_WITHIN_MS = 3000;
const NOTE_USAGE_EVERY_MS = 500;
const CONTROL_CLOSES_WITHIN_MS = 4000;
/** Sessions that one call may use one after the other. */
const MAX_PARTS = 10;
const TAG_TRIES = 10;
const TAG_AGAIN_AFTER_MS = 300;
/** RTP's version 2 (RFC 3550), and how long its header is. */
const RTP_VERSION = 0x80;
const RTP_HEADER_OCTETS = 12;

export interface CallRequest {
  contentType: CallContent;
  durationMs: number;
}

/** Datagrams of a call and their octets, without any SOCKS5 header. */
export interface CallCounts {
  sentDatagrams: number;
  sentOctets: number;
  receivedDatagrams: number;
  receivedOctets: number;
}

/** A call that went both ways is `direct`, with the reason why it left the proxy. */
export interface CallOutcome {
  delivery: Delivery;
  proxy: CallCounts;
  direct: CallCounts;
}

export interface CallsOptions {
  keeper: SessionKeeper;
  dial: Dial;
  datagrams: DatagramDial;
  ledger: OctetLedger;
  sessionTags: TerminalSessionTags;
  onEvent: (event: TerminalEvent) => void;
}

interface Part {
  counts: CallCounts;
  /** What the proxy ended before its time; 0: nothing. */
  leftMs: number;
}

/** Calls to the application's media host over UDP: through an association with the session's proxy, or straight. */
export class Calls {
  readonly #options: CallsOptions;
  #sequence = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Sends paced datagrams for the duration. Where a session ends before, the call continues in another one or direct. */
  async call(to: TerminalDestination, { contentType, durationMs }: CallRequest): Promise<CallOutcome> {
    const outcome: CallOutcome = { delivery: { via: 'proxy' }, proxy: noCounts(), direct: noCounts() };
    let leftMs = durationMs;
    for (let parts = 0; parts < MAX_PARTS && leftMs > 0; parts++) {
      const travelled = await takeBestWay(this.#options.keeper, (grant) =>
        this.#attempt(grant, to, { contentType, durationMs: leftMs }),
      );
      if (travelled.via === null) return { ...outcome, delivery: travelled };
      const { done, ...delivery } = travelled;
      leftMs = done.leftMs;
      add(outcome[delivery.via], done.counts);
      if (delivery.via === 'direct') {
        outcome.delivery = delivery;
        this.#options.onEvent({ type: 'direct', contentType, reason: delivery.reason });
      }
    }
    this.#options.keeper.noteUsage();
    return outcome;
  }

  async #attempt(grant: SessionGrant | null, to: TerminalDestination, request: CallRequest): Promise<Attempt<Part>> {
    const { datagrams, ledger } = this.#options;
    try {
      if (grant !== null) return await this.#through(grant, to, request);
      const path = ledger.track('direct', await datagrams(to));
      const counts = await this.#talk(path, request, { wrap: (payload) => payload, unwrap: (octets) => octets });
      await path.end();
      return { done: { counts, leftMs: 0 } };
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      return { refusal: grant === null ? error.code : 'proxy_unreachable' };
    }
  }

  async #through(grant: SessionGrant, to: TerminalDestination, request: CallRequest): Promise<Attempt<Part>> {
    const { dial, datagrams, ledger, sessionTags } = this.#options;
    const tag = await sessionTags.of(grant, request.contentType);
    const label = { sessionId: grant.sessionId, contentType: request.contentType };
    const control = ledger.track('proxy', await dial(destinationOf(new URL(grant.proxy.endpoints.socks5))), label);
    let path: DatagramPath | null = null;
    try {
      const proof = socks5Password(Buffer.from(grant.sessionKey, 'base64url'), grant.tokenId);
      const password = tag === null ? proof : taggedSocks5Password(proof, tag);
      const associated = await associate(control.socket, { user: grant.tokenId, password });
      if ('refusal' in associated) return associated;
      path = ledger.track('proxy', await datagrams(associated.relay), label);
      const over = new AbortController();
      control.socket.once('end', () => over.abort()).once('close', () => over.abort());
      control.socket.resume();
      if (tag !== null && !(await isAccepted(path, Buffer.from(tag, 'base64url'), over.signal))) {
        return { refusal: 'tag_unanswered' };
      }
      const startedAtMs = performance.now();
      const counts = await this.#talk(path, request, {
        wrap: (payload) => socks5Datagram({ peer: to, payload }),
        unwrap: payloadOf,
        over: over.signal,
      });
      const leftMs = over.signal.aborted ? Math.max(0, request.durationMs - (performance.now() - startedAtMs)) : 0;
      // It was ended before the first answer: SOCKS5 has no other way to say that the host is refused.
      if (over.signal.aborted && counts.receivedDatagrams === 0) return { refusal: 'call_refused' };
      return { done: { counts, leftMs } };
    } finally {
      // The control connection first: the proxy sends nothing after its end, so all that it sent is counted.
      await closed(control);
      await path?.end();
    }
  }

  async #talk(
    path: DatagramPath,
    { contentType, durationMs }: CallRequest,
    media: { wrap(payload: Buffer): Buffer; unwrap(octets: Buffer): Buffer | null; over?: AbortSignal },
  ): Promise<CallCounts> {
    const counts = noCounts();
    const { intervalMs, payloadOctets } = PACES[contentType];
    let lastReceivedMs = performance.now();
    path.on('datagram', (octets) => {
      const payload = media.unwrap(octets);
      if (payload === null) return;
      counts.receivedDatagrams++;
      counts.receivedOctets += payload.length;
      lastReceivedMs = performance.now();
    });
    const isOver = () => media.over?.aborted === true;
    const startedAtMs = performance.now();
    let notedAtMs = startedAtMs;
    for (let sent = 0; sent * intervalMs < durationMs && !isOver(); sent++) {
      // By the time since the start, so that late timers do not slow it down.
      await pause(Math.max(0, startedAtMs + sent * intervalMs - performance.now()));
      if (isOver()) break;
      const payload = this.#packet(payloadOctets);
      path.send(media.wrap(payload));
      counts.sentDatagrams++;
      counts.sentOctets += payload.length;
      if (performance.now() - notedAtMs < NOTE_USAGE_EVERY_MS) continue;
      notedAtMs = performance.now();
      this.#options.keeper.noteUsage();
    }
    const untilMs = performance.now() + QUIET_WITHIN_MS;
    lastReceivedMs = Math.max(lastReceivedMs, performance.now());
    // Without any answer yet the proxy may still be waiting for the network to know the flow.
    const isQuiet = () => counts.receivedDatagrams > 0 && performance.now() - lastReceivedMs >= QUIET_MS;
    while (performance.now() < untilMs && !isQuiet() && !isOver()) await pause(QUIET_MS / 10);
    if (isOver()) await pause(QUIET_MS);
    return counts;
  }

  #packet(octets: number): Buffer {
    const packet = Buffer.alloc(Math.max(octets, RTP_HEADER_OCTETS));
    packet[0] = RTP_VERSION;
    packet.writeUInt16BE(this.#sequence++ % 2 ** 16, 2);
    return packet;
  }
}

/** Sends the session tag until the proxy accepts it: it has to be the first datagram that the network sees of the flow. */
async function isAccepted(path: DatagramPath, tag: Buffer, over: AbortSignal): Promise<boolean> {
  let isAnswered = false;
  const listen = (octets: Buffer) => {
    isAnswered ||= octets.equals(TAG_ACCEPTED);
  };
  path.on('datagram', listen);
  for (let tries = 0; tries < TAG_TRIES && !isAnswered && !over.aborted; tries++) {
    path.send(tag);
    for (let waitedMs = 0; waitedMs < TAG_AGAIN_AFTER_MS && !isAnswered; waitedMs += 10) await pause(10);
  }
  path.off('datagram', listen);
  return isAnswered;
}

/** Ends it, and resolves when the other side has, too. */
async function closed({ socket }: Dialled): Promise<void> {
  if (socket.destroyed) return;
  const given = setTimeout(() => socket.destroy(), CONTROL_CLOSES_WITHIN_MS);
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.resume();
  socket.end();
  await over;
  clearTimeout(given);
}

function payloadOf(octets: Buffer): Buffer | null {
  const parsed = parseSocks5Datagram(octets);
  return parsed.fault === undefined ? parsed.payload : null;
}

function noCounts(): CallCounts {
  return { sentDatagrams: 0, sentOctets: 0, receivedDatagrams: 0, receivedOctets: 0 };
}

function add(sum: CallCounts, counts: CallCounts): void {
  for (const key of Object.keys(sum) as (keyof CallCounts)[]) sum[key] += counts[key];
}
