import type { Socket } from 'node:net';
import { NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import type { FlowMark } from '../protocol/flow-mark.ts';
import { FlowMeter, type FlowUsage, type Mark } from './flow-meter.ts';
import type { RecordDraft, StoredBearer } from './record-spool.ts';

/** IANA's protocol numbers. */
const TCP = 6 as const;
export const UDP = 17 as const;
const LOOKS_PER_RECORD = 5;
/** So long after a flow's start its first record stays open for a decision about its mark. */
const UNDECIDED_FOR_MS = 30_000;
/** What passes between a terminal and a proxy before the proxy can mark the flow: requests, and answers to a SOCKS5 client. */
const HANDSHAKE_OCTETS = 16 * 1024;
/** So long a mark may be under way to a flow that has ended meanwhile; more than a proxy waits for its answer. */
const ENDED_FOR_MS = 60_000;

/** `ended`: the flow was there, and nothing of it can come any more; `unknown`: it never passed here, or long ago. */
export type MarkedAs = 'marked' | 'ended' | 'unknown';

/** A connection's two ends as the destination sees them. */
export interface FlowEnds {
  protocol: typeof TCP | typeof UDP;
  terminalIp: string;
  terminalPort: number;
  remoteIp: string;
  remotePort: number;
}

export interface Flow {
  readonly ends: FlowEnds;
  readonly bearer: StoredBearer;
  readonly meter: FlowMeter;
  readonly openedAtMs: number;
  readonly isToProxy: boolean;
  /** Null: the flow's tag is not read. */
  tag: { readonly isPending: boolean } | null;
  /** The other side has sent something. */
  isAnswered: boolean;
}

export interface FlowTableOptions {
  partialRecords: { intervalMs: number; afterOctets: number };
  nowMs: () => number;
  /** Whether it is an address of a registered proxy, which may mark the flow. */
  isProxy: (remoteIp: string) => boolean;
  onRecord: (draft: RecordDraft, bearer: StoredBearer) => void;
}

/**
 * The connections that are open, and when each one's record is cut: by time, by volume, at another mark, and at the end. The first
 * record stays open while the flow's mark is undecided, as what was in a record before the first mark stays unmarked.
 */
export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #flows = new Map<string, Flow>();
  /** Flows to proxies that have ended, in the order of their ends: when. */
  readonly #ended = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: FlowTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  start(): void {
    const intervalMs = Math.max(5, this.#options.partialRecords.intervalMs / LOOKS_PER_RECORD);
    this.#timer = setInterval(() => this.#cutOld(), intervalMs);
  }

  /** Cuts what is open. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const flow of [...this.#flows.values()]) this.close(flow);
  }

  open(ends: FlowEnds, bearer: StoredBearer): Flow {
    const flow: Flow = {
      ends,
      bearer,
      meter: new FlowMeter(),
      openedAtMs: this.#options.nowMs(),
      isToProxy: this.#options.isProxy(ends.remoteIp),
      tag: null,
      isAnswered: false,
    };
    const key = keyOf(ends);
    this.#flows.set(key, flow);
    this.#ended.delete(key);
    return flow;
  }

  count(flow: Flow, direction: 'uplink' | 'downlink', octets: number): void {
    const nowMs = this.#options.nowMs();
    if (direction === 'uplink') flow.meter.countUplink(octets, nowMs);
    else {
      flow.meter.countDownlink(octets, nowMs);
      flow.isAnswered = true;
    }
    const isLarge = flow.meter.openOctets >= this.#options.partialRecords.afterOctets;
    if (isLarge && !(isEarly(flow, nowMs) && isTagPending(flow))) this.#record(flow, flow.meter.cut(nowMs));
  }

  mark({ protocol, terminalIp, terminalPort, proxyIp, proxyPort, zeroRatingTag, contentType }: FlowMark): MarkedAs {
    const key = keyOf({ protocol, terminalIp, terminalPort, remoteIp: proxyIp, remotePort: proxyPort });
    const flow = this.#flows.get(key);
    if (flow === undefined) return this.#ended.has(key) ? 'ended' : 'unknown';
    this.#record(flow, flow.meter.mark({ zeroRatingTag, contentType }, this.#options.nowMs()));
    return 'marked';
  }

  /** Marks a flow by its terminal's tag. False when its proxy has marked it already: the proxy's mark counts. */
  markByTag(flow: Flow, mark: Mark): boolean {
    if (flow.meter.isMarked) return false;
    flow.meter.mark(mark, this.#options.nowMs());
    return true;
  }

  /** The traffic of a flow is the subscriber's from now on, until its proxy says otherwise. */
  unmark(flow: Flow, { contentType }: Mark): void {
    this.#record(flow, flow.meter.mark({ zeroRatingTag: null, contentType }, this.#options.nowMs()));
  }

  close(flow: Flow): void {
    const key = keyOf(flow.ends);
    // Its ports may be another connection's by now.
    if (this.#flows.get(key) === flow) {
      this.#flows.delete(key);
      if (flow.isToProxy) this.#ended.set(key, this.#options.nowMs());
    }
    this.#record(flow, flow.meter.cut(this.#options.nowMs()));
  }

  #cutOld(): void {
    const nowMs = this.#options.nowMs();
    for (const flow of this.#flows.values()) {
      const { openSinceMs } = flow.meter;
      const isOld = openSinceMs !== null && nowMs - openSinceMs >= this.#options.partialRecords.intervalMs;
      const isUndecided = isEarly(flow, nowMs) && (isTagPending(flow) || awaitsMark(flow));
      if (isOld && !isUndecided) this.#record(flow, flow.meter.cut(nowMs));
    }
    for (const [key, endedAtMs] of this.#ended) {
      // The clock may have been set back.
      if (Math.abs(nowMs - endedAtMs) < ENDED_FOR_MS) break;
      this.#ended.delete(key);
    }
  }

  #record({ ends, bearer }: Flow, usage: FlowUsage | null): void {
    if (usage !== null) this.#options.onRecord(draftOf(ends, bearer, usage), bearer);
  }
}

function isEarly({ meter, openedAtMs }: Flow, nowMs: number): boolean {
  return !meter.isMarked && nowMs - openedAtMs < UNDECIDED_FOR_MS;
}

/** A proxy marks a flow before it passes anything on. */
function awaitsMark({ isToProxy, isAnswered, meter }: Flow): boolean {
  return isToProxy && (!isAnswered || meter.openOctets <= HANDSHAKE_OCTETS);
}

function isTagPending({ tag }: Flow): boolean {
  return tag?.isPending === true;
}

/** The ends of a socket that has been connected to a destination. */
export function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): FlowEnds {
  return {
    protocol: TCP,
    terminalIp: plainIp(localAddress ?? ''),
    terminalPort: localPort ?? 0,
    remoteIp: plainIp(remoteAddress ?? ''),
    remotePort: remotePort ?? 0,
  };
}

/** An IPv4 address as a socket of both families shows it is the IPv4 address. */
function plainIp(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function keyOf({ protocol, terminalIp, terminalPort, remoteIp, remotePort }: FlowEnds): string {
  return `${protocol}|${plainIp(terminalIp)}|${terminalPort}|${plainIp(remoteIp)}|${remotePort}`;
}

function draftOf(ends: FlowEnds, bearer: StoredBearer, usage: FlowUsage): RecordDraft {
  return {
    chargingId: bearer.chargingId,
    servedMsisdn: bearer.msisdn,
    servedImsi: bearer.imsi,
    startTime: usage.startTimeMs,
    endTime: usage.endTimeMs,
    ...ends,
    zeroRatingTag: usage.zeroRatingTag,
    contentType: usage.contentType,
    ratingGroup: null,
    serviceIdentifier: null,
    sponsorIdentity: null,
    applicationServiceProviderIdentity: null,
    uplinkOctets: usage.uplinkOctets,
    downlinkOctets: usage.downlinkOctets,
    ...NO_LATER_FIELDS,
  };
}
