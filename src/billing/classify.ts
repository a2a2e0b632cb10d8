import type { Catalogue, MatchPolicy } from './catalogue.ts';
import { EVIDENCES, type FlowBatch, NO_TAG, UNKNOWN_TAG } from './flow-batch.ts';
import { ABSENT, OctetMap } from './octet-map.ts';
import type { Reason } from './outcome.ts';
import { PrefixTable } from './prefix-table.ts';

const [NONE, TAG, IP, TAG_AND_IP] = EVIDENCES.keys();
const NEEDS_TAG = 1;
const NEEDS_IP = 2;
const NEEDS: Readonly<Record<MatchPolicy, number>> = {
  any: 0,
  tag: NEEDS_TAG,
  ip: NEEDS_IP,
  both: NEEDS_TAG | NEEDS_IP,
};

/** The catalogue's evidence, made ready for look-ups. */
export class Evidence {
  /** By application, what its match policy asks for. */
  readonly #needs: Uint8Array;
  readonly #tags = new Map<string, number>();
  readonly #tagOctets = new OctetMap();
  readonly #prefixes: PrefixTable;

  constructor(catalogue: Catalogue) {
    this.#needs = Uint8Array.from(catalogue.applications, ({ match }) => NEEDS[match]);
    this.#prefixes = new PrefixTable(
      catalogue.applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))),
    );
    catalogue.applications.forEach(({ tags }, application) => {
      for (const tag of tags) {
        this.#tags.set(tag, application);
        const octets = Buffer.from(tag);
        this.#tagOctets.set(octets, 0, octets.length, application);
      }
    });
  }

  applicationOfTag(tag: string | null): number {
    return tag === null ? NO_TAG : (this.#tags.get(tag) ?? UNKNOWN_TAG);
  }

  /** The same for a tag in octets. */
  applicationOfTagOctets(octets: Uint8Array, start: number, end: number): number {
    const application = this.#tagOctets.get(octets, start, end);
    return application === ABSENT ? UNKNOWN_TAG : application;
  }

  /** Looks up the prefixes of all records, for `classify`: of many at once they take a fraction of the time. */
  findPrefixes({ remoteAddress, count, prefixApplication }: FlowBatch): void {
    this.#prefixes.applicationsOf(remoteAddress, count, prefixApplication);
  }

  /**
   * Which application's the record is, and by what evidence (rule 1): the tag decides first, then the longest matching
   * prefix. Fills `evidence` and `application`, or gives the reason why the record is nobody's.
   */
  classify(batch: FlowBatch, row: number): Reason | null {
    const byTag = batch.tagApplication[row];
    const byIp = batch.prefixApplication[row];
    const hasTag = byTag >= 0;
    const hasIp = byIp >= 0;
    batch.evidence[row] = hasTag ? (hasIp ? TAG_AND_IP : TAG) : hasIp ? IP : NONE;
    if (!hasTag && !hasIp) return byTag === UNKNOWN_TAG ? 'unknown_tag' : 'no_evidence';
    if (hasTag && hasIp && byTag !== byIp) return 'evidence_conflict';
    const application = hasTag ? byTag : byIp;
    batch.application[row] = application;
    const needs = this.#needs[application];
    if (!hasTag && (needs & NEEDS_TAG) !== 0) return 'tag_missing';
    if (!hasIp && (needs & NEEDS_IP) !== 0) return 'prefix_missing';
    return null;
  }
}
