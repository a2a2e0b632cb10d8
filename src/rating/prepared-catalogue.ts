import type { ApplicationTerms, Catalogue, CatalogueTerms } from './catalogue.ts';
import { type EvidenceTables, evidenceTables } from './evidence-tables.ts';

/**
 * A catalogue made ready for an engine: its claims are in tables, and its document is bytes. It has no object and no string for each
 * prefix, so that a million of them cost a thread that takes it over neither time nor memory of its own.
 */
export interface PreparedCatalogue extends CatalogueTerms {
  evidence: EvidenceTables;
  /** The canonical JSON in UTF-8, which the store keeps under its hash. */
  document: Uint8Array;
}

/** What records are rated by. */
export type RatedCatalogue = Catalogue | PreparedCatalogue;

export function prepareCatalogue(catalogue: Catalogue): PreparedCatalogue {
  const { canonicalJson: _text, applications, ...rest } = catalogue;
  return {
    ...rest,
    applications: applications.map(termsOf),
    evidence: evidenceTables(applications),
    document: documentOf(catalogue),
  };
}

/** Returns `PreparedCatalogue.document`. */
export function documentOf({ canonicalJson }: Catalogue): Uint8Array {
  return new TextEncoder().encode(canonicalJson);
}

function termsOf({
  tags: _tags,
  prefixes: _prefixes,
  aspIdentities: _aspIdentities,
  sponsorIdentities: _sponsorIdentities,
  services: _services,
  detections: _detections,
  ...terms
}: Catalogue['applications'][number]): ApplicationTerms {
  return terms;
}
