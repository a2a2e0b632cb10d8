import { byBeginning, ClaimChains, ClaimChainWriter, NO_OWNER, type Span } from './claims.ts';
import type { FlowBatch } from './flow-record.ts';

/** A record's rating group or service identifier where it has none, and of a claim that asks for none. */
export const NO_NUMBER = -1;

/** A service as the gateway numbers it, that an application claims: a rating group, a service identifier, or both. */
export interface ServiceClaim extends Span {
  /** NO_NUMBER: any. */
  ratingGroup: number;
  serviceIdentifier: number;
}

/** Returns `rating group 1001`, `service identifier 7`, or `service identifier 7 of rating group 1001`. */
export function serviceInWords({
  ratingGroup = NO_NUMBER,
  serviceIdentifier = NO_NUMBER,
}: {
  ratingGroup?: number | undefined;
  serviceIdentifier?: number | undefined;
}): string {
  if (serviceIdentifier === NO_NUMBER) return `rating group ${ratingGroup}`;
  const service = `service identifier ${serviceIdentifier}`;
  return ratingGroup === NO_NUMBER ? service : `${service} of rating group ${ratingGroup}`;
}

/** Returns the key of the pair in a map of claims: 0 to 2^31 - 1 each, or NO_NUMBER. */
function pairKey(ratingGroup: number, serviceIdentifier: number): string {
  return `${ratingGroup} ${serviceIdentifier}`;
}

/** Services that applications claim, in flat arrays. */
export interface ServiceTable {
  /** Three each: rating group, service identifier (NO_NUMBER: any), and whose they are: see `ClaimChains`. */
  entries: Int32Array;
  /** What `ClaimChains` reads. */
  chains: Float64Array;
}

/** `claims`: by application. */
export function serviceTable(claims: readonly (readonly ServiceClaim[])[]): ServiceTable {
  const chains = new ClaimChainWriter();
  const entries = new Map<string, [ratingGroup: number, serviceIdentifier: number, owner: number]>();
  const all = claims.flatMap((own, application) => own.map((claim) => ({ claim, application })));
  for (const { claim, application } of all.sort((a, b) => byBeginning(a.claim, b.claim))) {
    const { ratingGroup, serviceIdentifier, fromMs, toMs } = claim;
    const key = pairKey(ratingGroup, serviceIdentifier);
    const otherwise = entries.get(key)?.[2] ?? NO_OWNER;
    const owner = chains.ownerOf(application, { text: '', fromMs, toMs }, otherwise);
    entries.set(key, [ratingGroup, serviceIdentifier, owner]);
  }
  return { entries: Int32Array.from([...entries.values()].flat()), chains: chains.take() };
}

/**
 * Which application claims the rating group and the service identifier that a gateway wrote into its record. A service identifier is
 * a part of a rating group, so the more specific claim decides: of the pair, then of the service identifier, then of the rating group.
 */
export class ServiceClaims {
  readonly isEmpty: boolean;
  /** Owners (see `ClaimChains`), by number. */
  readonly #ratingGroups = new Map<number, number>();
  readonly #serviceIdentifiers = new Map<number, number>();
  readonly #pairs = new Map<string, number>();
  readonly #chains: ClaimChains;

  constructor({ entries, chains }: ServiceTable) {
    for (let at = 0; at < entries.length; at += 3) {
      const [ratingGroup, serviceIdentifier, owner] = entries.subarray(at, at + 3);
      if (serviceIdentifier === NO_NUMBER) this.#ratingGroups.set(ratingGroup, owner);
      else if (ratingGroup === NO_NUMBER) this.#serviceIdentifiers.set(serviceIdentifier, owner);
      else this.#pairs.set(pairKey(ratingGroup, serviceIdentifier), owner);
    }
    this.isEmpty = entries.length === 0;
    this.#chains = new ClaimChains(chains);
  }

  /** Returns the application that claims the service at the start of a record, or NO_OWNER. */
  applicationOf(ratingGroup: number, serviceIdentifier: number, batch: FlowBatch, row: number): number {
    const { size } = this.#pairs;
    if (size > 0 && ratingGroup !== NO_NUMBER && serviceIdentifier !== NO_NUMBER) {
      const byPair = this.#resolve(this.#pairs.get(pairKey(ratingGroup, serviceIdentifier)), batch, row);
      if (byPair !== NO_OWNER) return byPair;
    }
    const byService = this.#resolve(this.#serviceIdentifiers.get(serviceIdentifier), batch, row);
    return byService !== NO_OWNER ? byService : this.#resolve(this.#ratingGroups.get(ratingGroup), batch, row);
  }

  #resolve(owner: number | undefined, batch: FlowBatch, row: number): number {
    return owner === undefined ? NO_OWNER : this.#chains.applicationOf(owner, batch, row);
  }
}
