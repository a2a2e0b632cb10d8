import type { Application } from './catalogue.ts';
import { CONFLICTING_IDENTITIES, NO_IDENTITY, UNKNOWN_IDENTITY } from './flow-batch.ts';
import { ASP_IDENTITY, type FlowFields, NULL, SPONSOR_IDENTITY } from './flow-fields.ts';
import type { FlowRecord } from './flow-record.ts';
import { ABSENT, OctetMap } from './octet-map.ts';

/**
 * Which application claims the identities that a gateway wrote into its CDR. The ASP identity decides: it names the
 * service. The sponsor identity names who pays, which is one application only where an application claims it, and it holds
 * where nobody claims the ASP identity. When both are claimed, and by applications of two sponsors, they conflict.
 */
export class IdentityClaims {
  readonly #byAsp = new OctetMap();
  readonly #bySponsor = new OctetMap();
  /** By application its sponsor. */
  readonly #sponsors: Int32Array;

  constructor(applications: readonly Application[]) {
    this.#sponsors = Int32Array.from(applications, ({ sponsor }) => sponsor);
    applications.forEach(({ aspIdentities, sponsorIdentities }, application) => {
      for (const identity of aspIdentities) claim(this.#byAsp, identity, application);
      for (const identity of sponsorIdentities) claim(this.#bySponsor, identity, application);
    });
  }

  /** Gives an application, or NO_IDENTITY, UNKNOWN_IDENTITY, CONFLICTING_IDENTITIES. */
  applicationOf({ sponsorIdentity, applicationServiceProviderIdentity }: FlowRecord): number {
    if (sponsorIdentity === null && applicationServiceProviderIdentity === null) return NO_IDENTITY;
    return this.#decide(
      claimant(this.#byAsp, applicationServiceProviderIdentity),
      claimant(this.#bySponsor, sponsorIdentity),
    );
  }

  /** The same for a record that has one at least, in octets. */
  applicationOfOctets({ octets, spans }: FlowFields): number {
    const of = (claims: OctetMap, text: number) =>
      spans[text * 2] === NULL ? ABSENT : claims.get(octets, spans[text * 2], spans[text * 2 + 1]);
    return this.#decide(of(this.#byAsp, ASP_IDENTITY), of(this.#bySponsor, SPONSOR_IDENTITY));
  }

  #decide(byAsp: number, bySponsor: number): number {
    if (byAsp === ABSENT) return bySponsor === ABSENT ? UNKNOWN_IDENTITY : bySponsor;
    const isOneSponsor = bySponsor === ABSENT || this.#sponsors[bySponsor] === this.#sponsors[byAsp];
    return isOneSponsor ? byAsp : CONFLICTING_IDENTITIES;
  }
}

function claim(claims: OctetMap, identity: string, application: number): void {
  const octets = Buffer.from(identity);
  claims.set(octets, 0, octets.length, application);
}

function claimant(claims: OctetMap, identity: string | null): number {
  if (identity === null) return ABSENT;
  const octets = Buffer.from(identity);
  return claims.get(octets, 0, octets.length);
}
