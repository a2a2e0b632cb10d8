import { type FlowCondition, MAX_PORT, meetsFlow } from './flow-condition.ts';
import type { FlowBatch, FlowRecord } from './flow-record.ts';

/** In force for startTime in [fromMs, toMs). */
export interface Span {
  /** -Infinity: no beginning. */
  fromMs: number;
  /** Infinity: no end. */
  toMs: number;
}

/** A tag, prefix or identity that an application claims, and the records that the claim holds for. */
export interface Claim extends Span {
  /** The tag, the prefix in CIDR text, or the identity. */
  text: string;
  /** Of a prefix: what it asks of the record beside its address. Absent: nothing. */
  flow?: FlowCondition | undefined;
}

/** A claim as the catalogue keeps it: one without conditions, of which there may be a million, is its text alone. */
export type Claimed = string | Claim;

export function claimText(claimed: Claimed): string {
  return typeof claimed === 'string' ? claimed : claimed.text;
}

export function isInForce(claimed: string | Span, timeMs: number): boolean {
  return typeof claimed === 'string' || (timeMs >= claimed.fromMs && timeMs < claimed.toMs);
}

/** Whether a claim's dates and its protocol and ports are a record's. */
export function holdsFor(claimed: Claimed, record: Pick<FlowRecord, 'startTime' | 'protocol' | 'remotePort'>): boolean {
  if (typeof claimed === 'string') return true;
  const { flow } = claimed;
  return isInForce(claimed, record.startTime) && (flow === undefined || meetsFlow(flow, record));
}

/** Returns a claim's conditions; undefined where it has none. */
export function conditionsOf(claimed: Claimed): Claim | undefined {
  return typeof claimed === 'string' ? undefined : claimed;
}

/** Orders claims by when they begin; those without conditions come first. */
export function byBeginning(a: Span | undefined, b: Span | undefined): number {
  const [aMs, bMs] = [a?.fromMs ?? Number.NEGATIVE_INFINITY, b?.fromMs ?? Number.NEGATIVE_INFINITY];
  return aMs < bMs ? -1 : aMs > bMs ? 1 : 0;
}

/** The owner of what no application claims. */
export const NO_OWNER = -1;
/** Owners from here on are chains: the record decides which application they are. */
export const FIRST_CHAIN = 2 ** 30;

/** A link in doubles: the claim's application and conditions, and the owner where they do not hold. */
const LINK_DOUBLES = 7;
const APPLICATION = 0;
const FROM_MS = 1;
const TO_MS = 2;
/** ANY_PROTOCOL, or its number. */
const PROTOCOL = 3;
/** Of the remote side. A claim with several spans of ports has a link for each. */
const FIRST_PORT = 4;
const LAST_PORT = 5;
const OTHERWISE = 6;

const ANY_PROTOCOL = -1;
const ALL_PORTS = [{ first: 0, last: MAX_PORT }];

/**
 * Which application owns a tag, an identity or an address, where claims have conditions. An owner is an application, NO_OWNER, or a
 * chain of claims: the first that holds for the record decides. The last link leads to an application that needs no condition, or to
 * NO_OWNER.
 */
export class ClaimChains {
  readonly #links: Float64Array;

  /** `links`: as `ClaimChainWriter` gives them. */
  constructor(links: Float64Array) {
    this.#links = links;
  }

  /** Returns the application that an owner is for a record of the batch, or NO_OWNER. */
  applicationOf(owner: number, batch: FlowBatch, row: number): number {
    const links = this.#links;
    const startTimeMs = batch.startTimeMs[row];
    let at = owner;
    while (at >= FIRST_CHAIN) {
      const link = (at - FIRST_CHAIN) * LINK_DOUBLES;
      const isInForce = startTimeMs >= links[link + FROM_MS] && startTimeMs < links[link + TO_MS];
      const holds = isInForce && (links[link + PROTOCOL] === ANY_PROTOCOL || this.#meetsFlow(link, batch, row));
      at = links[link + (holds ? APPLICATION : OTHERWISE)];
    }
    return at;
  }

  #meetsFlow(link: number, { protocol, remotePort }: FlowBatch, row: number): boolean {
    const links = this.#links;
    if (protocol[row] !== links[link + PROTOCOL]) return false;
    const port = remotePort[row];
    return port >= links[link + FIRST_PORT] && port <= links[link + LAST_PORT];
  }

  /** Replaces the owners of a batch's records by the applications that they are. */
  resolve(owners: Int32Array, batch: FlowBatch): void {
    if (this.#links.length === 0) return;
    for (let row = 0; row < batch.count; row++) owners[row] = this.applicationOf(owners[row], batch, row);
  }
}

/** Makes chains: equal ones are one. */
export class ClaimChainWriter {
  readonly #links: number[] = [];
  readonly #known = new Map<string, number>();

  /** Returns the owner of what an application claims, and which has the owner `otherwise` where the claim does not hold. */
  ownerOf(application: number, conditions: Claim | undefined, otherwise: number): number {
    if (conditions === undefined) return application;
    const { fromMs, toMs, flow } = conditions;
    const ports = flow === undefined || flow.ports.length === 0 ? ALL_PORTS : flow.ports;
    let owner = otherwise;
    for (const { first, last } of ports) {
      owner = this.#link([application, fromMs, toMs, flow?.protocol ?? ANY_PROTOCOL, first, last, owner]);
    }
    return owner;
  }

  #link(link: readonly number[]): number {
    const key = link.join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const owner = FIRST_CHAIN + this.#links.length / LINK_DOUBLES;
    this.#links.push(...link);
    this.#known.set(key, owner);
    return owner;
  }

  take(): Float64Array {
    return Float64Array.from(this.#links);
  }
}
