import type { Application, Catalogue } from './catalogue.ts';
import { EVIDENCES, type FlowBatch, NO_TAG, UNKNOWN_TAG } from './flow-batch.ts';
import type { Reason } from './outcome.ts';
import { PrefixTable } from './prefix-table.ts';

const [NONE, TAG, IP, TAG_AND_IP] = EVIDENCES.keys();

/** The catalogue's evidence, made ready for look-ups. */
export class Evidence {
  readonly #applications: readonly Application[];
  readonly #tags = new Map<string, number>();
  readonly #prefixes: PrefixTable;

  constructor(catalogue: Catalogue) {
    this.#applications = catalogue.applications;
    this.#prefixes = new PrefixTable(
      catalogue.applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))),
    );
    catalogue.applications.forEach(({ tags }, application) => {
      for (const tag of tags) this.#tags.set(tag, application);
    });
  }

  applicationOfTag(tag: string | null): number {
    return tag === null ? NO_TAG : (this.#tags.get(tag) ?? UNKNOWN_TAG);
  }

  /**
   * Which application's the record is, and by what evidence (rule 1): the tag decides first, then the longest matching
   * prefix. Fills `evidence` and `application`, or gives the reason why the record is nobody's.
   */
  classify(batch: FlowBatch, row: number): Reason | null {
    const byTag = batch.tagApplication[row];
    const byIp = this.#prefixes.applicationOf(batch.remoteAddress, row * 4);
    const hasTag = byTag >= 0;
    const hasIp = byIp >= 0;
    batch.evidence[row] = hasTag ? (hasIp ? TAG_AND_IP : TAG) : hasIp ? IP : NONE;
    if (!hasTag && !hasIp) return byTag === UNKNOWN_TAG ? 'unknown_tag' : 'no_evidence';
    if (hasTag && hasIp && byTag !== byIp) return 'evidence_conflict';
    const application = hasTag ? byTag : byIp;
    batch.application[row] = application;
    const { match } = this.#applications[application];
    if (!hasTag && (match === 'tag' || match === 'both')) return 'tag_missing';
    if (!hasIp && (match === 'ip' || match === 'both')) return 'prefix_missing';
    return null;
  }
}
