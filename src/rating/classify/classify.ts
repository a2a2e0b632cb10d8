import type { Application, Catalogue, MatchPolicy } from '../catalogue/catalogue.ts';
import type { Reason } from '../outcome.ts';
import {
  BY_CDR,
  BY_IP,
  BY_TAG,
  CONFLICTING_IDENTITIES,
  type FlowBatch,
  NO_IDENTITY,
  NO_TAG,
  UNKNOWN_IDENTITY,
} from '../record/flow-batch.ts';
import { ASP_IDENTITY, type FlowFields, NULL, SPONSOR_IDENTITY } from '../record/flow-fields.ts';
import type { FlowRecord } from '../record/flow-record.ts';
import { ABSENT, OctetMap } from './octet-map.ts';
import { PrefixTable } from './prefix-table.ts';
import type { UnknownTags } from './unknown-tags.ts';
import { type WordMaps, wordMaps } from './word-maps.ts';

const NEEDS: Readonly<Record<MatchPolicy, number>> = {
  any: 0,
  tag: BY_TAG,
  ip: BY_IP,
  both: BY_TAG | BY_IP,
  cdr: BY_CDR,
};

/** Returns the look-up maps of all of a catalogue's prefixes: with many of them, most of the work of making a catalogue ready. */
export function prefixMapsOf({ applications }: Pick<Catalogue, 'applications'>): WordMaps {
  return wordMaps(applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))));
}

/** The catalogue's evidence, made ready for look-ups. */
export class Evidence {
  /** By application, what its match policy asks for. */
  readonly #needs: Uint8Array;
  /** The catalogue's tags; a record's `tag` is an index into them. */
  readonly tags: readonly string[];
  /** By tag, whose it is. */
  readonly #tagApplications: Int32Array;
  readonly #tagNumbers: ReadonlyMap<string, number>;
  readonly #tagOctets = new OctetMap();
  readonly #prefixes: PrefixTable;
  readonly #identities: IdentityClaims;

  /** `prefixMaps`: the catalogue's, where they are made already. */
  constructor(catalogue: Catalogue, prefixMaps: WordMaps = prefixMapsOf(catalogue)) {
    this.#needs = Uint8Array.from(catalogue.applications, ({ match }) => NEEDS[match]);
    this.#prefixes = new PrefixTable(prefixMaps);
    this.#identities = new IdentityClaims(catalogue.applications);
    this.tags = catalogue.applications.flatMap(({ tags }) => tags);
    this.#tagApplications = Int32Array.from(
      catalogue.applications.flatMap(({ tags }, application) => tags.map(() => application)),
    );
    this.#tagNumbers = new Map(this.tags.map((tag, number) => [tag, number]));
    for (const [tag, number] of this.#tagNumbers) {
      const octets = Buffer.from(tag);
      this.#tagOctets.set(octets, 0, octets.length, number);
    }
  }

  /** Returns what `FlowBatch.tag` says of a record. */
  codeOfTag(tag: string | null, unknownTags: UnknownTags): number {
    return tag === null ? NO_TAG : (this.#tagNumbers.get(tag) ?? unknownTags.codeOf(tag));
  }

  /** The same for a tag in octets. */
  codeOfTagOctets(octets: Uint8Array, start: number, end: number, unknownTags: UnknownTags): number {
    const number = this.#tagOctets.get(octets, start, end);
    return number === ABSENT ? unknownTags.codeOfOctets(octets, start, end) : number;
  }

  /** Returns the application that claims the record's tag; -1 where it has none, or none claims it. */
  applicationOfTag({ tag }: FlowBatch, row: number): number {
    return tag[row] < 0 ? -1 : this.#tagApplications[tag[row]];
  }

  /** What `FlowBatch.cdrApplication` says of a record. */
  applicationOfIdentities(record: FlowRecord): number {
    return this.#identities.applicationOf(record);
  }

  /** The same for identities in octets. */
  applicationOfIdentityOctets(fields: FlowFields): number {
    return this.#identities.applicationOfOctets(fields);
  }

  /** Looks up the prefixes of all records, for `classify`: of many at once they take a fraction of the time. */
  findPrefixes({ remoteAddress, count, prefixApplication }: FlowBatch): void {
    this.#prefixes.applicationsOf(remoteAddress, count, prefixApplication);
  }

  /**
   * Which application's the record is, and by what evidence (rule 1): the tag decides first, then the CDR's identities, then
   * the longest matching prefix; what is found must not differ. Fills `evidence` and `application`, or gives the reason why
   * no application is.
   */
  classify(batch: FlowBatch, row: number): Reason | null {
    const byTag = this.applicationOfTag(batch, row);
    const byCdr = batch.cdrApplication[row];
    const byIp = batch.prefixApplication[row];
    const found = (byTag >= 0 ? BY_TAG : 0) | (byCdr >= 0 ? BY_CDR : 0) | (byIp >= 0 ? BY_IP : 0);
    batch.evidence[row] = found;
    if (byCdr === CONFLICTING_IDENTITIES) return 'evidence_conflict';
    if (found === 0) {
      if (batch.tag[row] < NO_TAG) return 'unknown_tag';
      return byCdr === UNKNOWN_IDENTITY ? 'unknown_identity' : 'no_evidence';
    }
    const application = byTag >= 0 ? byTag : byCdr >= 0 ? byCdr : byIp;
    if (byCdr >= 0 && byCdr !== application) return 'evidence_conflict';
    if (byIp >= 0 && byIp !== application) return 'evidence_conflict';
    batch.application[row] = application;
    const missing = this.#needs[application] & ~found;
    if (missing === 0) return null;
    if ((missing & BY_TAG) !== 0) return 'tag_missing';
    return (missing & BY_CDR) !== 0 ? 'identity_missing' : 'prefix_missing';
  }
}

/**
 * Which application claims the identities that a gateway wrote into its CDR. The ASP identity decides: it names the
 * service. The sponsor identity names who pays, which is one application only where an application claims it, and it counts
 * where no application claims the ASP identity. When both are claimed, and by applications of two sponsors, they conflict.
 */
class IdentityClaims {
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
