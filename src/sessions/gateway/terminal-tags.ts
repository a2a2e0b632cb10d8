import {
  type FindTagKey,
  nameDigest,
  parseSessionTag,
  type SessionTag,
  type TagVerdict,
  tagMismatch,
  verifySessionTag,
} from '../protocol/session-tag.ts';
import { AnswerReader, type Endpoint, FirstOctetsReader } from './first-octets.ts';
import type { Mark } from './flow-meter.ts';
import type { FlowEnds } from './flow-table.ts';
import type { RegisteredProxy } from './gateway-config.ts';

/** What becomes of the tag of one connection. `taken` is the only one that puts the zero-rating tag on its flow. */
export const TAG_OUTCOMES = {
  taken: 'verified, and the proxy accepted the connection',
  too_long: 'the request was longer than terminalTags.requestBytes',
  too_slow: 'the request took longer than terminalTags.requestTimeoutMs',
  malformed: 'the request or the tag was not of the documented form',
  repeated: 'the request had several tags',
  key_unknown: 'the dispatch server has no key of this id',
  keys_unreachable: 'the dispatch server could not be asked for its keys',
  forged: 'the signature does not verify',
  expired: 'the tag has expired',
  other_terminal: 'the tag is of another terminal than the bearer that sent it',
  other_proxy: 'the tag is of another proxy, address or port than the connection goes to',
  application_not_listed: 'terminalTags.applications does not list the application',
  refused_by_proxy: 'the proxy did not accept the connection',
  closed: 'the connection ended before the proxy answered',
  marked_by_proxy: 'the proxy had marked the flow before',
} as const;
export type TagOutcome = keyof typeof TAG_OUTCOMES;

export interface TerminalTagsOptions {
  proxies: () => readonly RegisteredProxy[];
  applications: readonly { applicationId: string; zeroRatingTag: string }[];
  requestBytes: number;
  requestTimeoutMs: number;
  findKey: FindTagKey;
  nowMs: () => number;
}

/** Recognises traffic by the session tags that terminals send to proxies, and counts what becomes of each tag. */
export class TerminalTags {
  readonly options: TerminalTagsOptions;
  readonly #zeroRatingTags: ReadonlyMap<string, string>;
  readonly #counts = new Map<TagOutcome, number>();

  constructor(options: TerminalTagsOptions) {
    this.options = options;
    this.#zeroRatingTags = new Map(
      options.applications.map(({ applicationId, zeroRatingTag }) => [nameDigest(applicationId), zeroRatingTag]),
    );
  }

  /** How many tags came to each outcome since the start. */
  counts(): Record<TagOutcome, number> {
    const outcomes = Object.keys(TAG_OUTCOMES) as TagOutcome[];
    return Object.fromEntries(outcomes.map((outcome) => [outcome, this.#counts.get(outcome) ?? 0])) as Record<
      TagOutcome,
      number
    >;
  }

  count(outcome: TagOutcome): void {
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
  }

  /** Returns what reads the tag of a flow; null when it goes to no registered proxy. `mark`: false when the flow has a mark. */
  follow(ends: FlowEnds, mark: (mark: Mark) => boolean): FlowTag | null {
    return this.isToProxy(ends) ? new FlowTag(this, ends, mark) : null;
  }

  /** Whether a flow goes to a registered proxy's address. */
  isToProxy({ remoteIp }: FlowEnds): boolean {
    return this.options.proxies().some(({ addresses }) => addresses.includes(remoteIp));
  }

  /** Returns the mark that a verified tag puts on this flow, or why it puts none. */
  markOf(
    tag: SessionTag,
    { terminalIp, remoteIp, remotePort }: FlowEnds,
    endpoint: Endpoint | null,
  ): Mark | TagOutcome {
    if (tagMismatch(tag, { terminalIp }) !== null) return 'other_terminal';
    const isProxy = this.options
      .proxies()
      .some(({ proxyId, addresses }) => addresses.includes(remoteIp) && nameDigest(proxyId) === tag.proxy);
    // Each association has a UDP port of its own, which no tag names.
    const destination = { ip: remoteIp, ...(endpoint !== null && { endpoint, port: remotePort }) };
    if (!isProxy || tagMismatch(tag, { destination }) !== null) return 'other_proxy';
    const zeroRatingTag = this.#zeroRatingTags.get(tag.application);
    return zeroRatingTag === undefined ? 'application_not_listed' : { zeroRatingTag, contentType: tag.contentType };
  }
}

/**
 * The tag of one flow. Only the first octets of both directions are read: the terminal's request, and whether the proxy accepts
 * it. A refused connection is the subscriber's, as it carries nothing.
 */
export class FlowTag {
  readonly #tags: TerminalTags;
  readonly #ends: FlowEnds;
  readonly #mark: (mark: Mark) => boolean;
  readonly #openedAtMs: number;
  #request: FirstOctetsReader | null;
  #answer: AnswerReader | null = null;
  /** Of the request; null until there is one with a tag. */
  #endpoint: Endpoint | null = null;
  /** From the tag's verification; null until then. */
  #verified: Mark | null = null;
  #verifying: Promise<void> | null = null;
  #isAccepted = false;
  #isDone = false;

  constructor(tags: TerminalTags, ends: FlowEnds, mark: (mark: Mark) => boolean) {
    this.#tags = tags;
    this.#ends = ends;
    this.#mark = mark;
    this.#openedAtMs = tags.options.nowMs();
    this.#request = new FirstOctetsReader(tags.options.requestBytes);
  }

  /** Whether it may still put a mark on the flow. */
  get isPending(): boolean {
    return !this.#isDone;
  }

  /** Octets of the terminal, before they are counted. */
  uplink(segment: Buffer): void {
    const reader = this.#request;
    if (reader === null || this.#isDone) return;
    const { nowMs, requestTimeoutMs } = this.#tags.options;
    if (nowMs() - this.#openedAtMs > requestTimeoutMs) return void this.#end('too_slow');
    const found = reader.take(segment);
    if (found === 'incomplete') return;
    this.#request = null;
    if (found === 'no_tag') this.#isDone = true;
    else if (typeof found === 'string') this.#end(found);
    else if (found.sessionTags.length > 1) this.#end('repeated');
    else this.#verify(found.sessionTags[0], found.endpoint);
  }

  /** Octets of the proxy, before they are counted. */
  downlink(segment: Buffer): void {
    if (this.#isDone || this.#isAccepted) return;
    // What answers before it was asked has accepted nothing; a SOCKS5 proxy answers the greeting alone.
    this.#answer ??= new AnswerReader(this.#endpoint ?? 'socks5');
    const isAccepted = this.#answer.take(segment);
    if (isAccepted === null) return;
    this.#isAccepted = isAccepted;
    if (isAccepted) this.#apply();
    else this.#refused();
  }

  /** Resolves when what is known of the tag is final; to be awaited before the flow's last record. */
  async close(): Promise<void> {
    await this.#verifying;
    if (!this.#isDone && this.#endpoint !== null) this.#end('closed');
    this.#isDone = true;
  }

  #verify(text: string, endpoint: Endpoint): void {
    this.#endpoint = endpoint;
    // An answer to what was not yet a request.
    if (this.#answer !== null && endpoint !== 'socks5') return void this.#end('refused_by_proxy');
    const octets = parseSessionTag(text);
    if (octets === null) return void this.#end('malformed');
    const verdict = verifySessionTag(octets, this.#tags.options);
    if (!(verdict instanceof Promise)) return void this.#take(verdict, endpoint);
    this.#verifying = verdict.then((late) => this.#take(late, endpoint));
  }

  #take(verdict: TagVerdict, endpoint: Endpoint): void {
    if (this.#isDone) return;
    if (verdict.fault !== undefined) return void this.#end(verdict.fault);
    const mark = this.#tags.markOf(verdict.tag, this.#ends, endpoint);
    if (typeof mark === 'string') return void this.#end(mark);
    this.#verified = mark;
    this.#apply();
  }

  #apply(): void {
    if (this.#verified === null || !this.#isAccepted || this.#isDone) return;
    this.#end(this.#mark(this.#verified) ? 'taken' : 'marked_by_proxy');
  }

  /** A connection without a tag has none to count. */
  #refused(): void {
    if (this.#endpoint === null) this.#isDone = true;
    else this.#end('refused_by_proxy');
  }

  #end(outcome: TagOutcome): void {
    this.#isDone = true;
    this.#request = null;
    this.#tags.count(outcome);
  }
}
