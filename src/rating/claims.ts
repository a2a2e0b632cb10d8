import type { FlowBatch } from './flow-record.ts';

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
}

/** A claim as the catalogue keeps it: one without dates, of which there may be a million, is its text alone. */
export type Claimed = string | Claim;

export function claimText(claimed: Claimed): string {
  return typeof claimed === 'string' ? claimed : claimed.text;
}

export function isInForce(claimed: string | Span, timeMs: number): boolean {
  return typeof claimed === 'string' || (timeMs >= claimed.fromMs && timeMs < claimed.toMs);
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
const LINK_DOUBLES = 4;
const APPLICATION = 0;
const FROM_MS = 1;
const TO_MS = 2;
const OTHERWISE = 3;

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
      at = links[link + (isInForce ? APPLICATION : OTHERWISE)];
    }
    return at;
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
    const link = [application, conditions.fromMs, conditions.toMs, otherwise];
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
