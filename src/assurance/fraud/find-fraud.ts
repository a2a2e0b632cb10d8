import type { Store } from '../../platform/clickhouse/store.ts';
import { evidenceConflicts, tagElsewhere } from './evidence-rules.ts';
import type { Finding, FraudRange, FraudRule, Thresholds } from './finding.ts';
import { manyNodes, severalPlaces, spreads } from './place-rules.ts';
import { chargesIn, readFindings } from './read-findings.ts';
import { chargedTwice } from './repeat-rules.ts';
import { fastTravel, type NodeCountries, roaming, unmappedNodes } from './roaming-rules.ts';
import { uploadShares, volumes } from './usage-rules.ts';

export interface FraudRequest {
  range: FraudRange;
  thresholds: Thresholds;
  /** Null: rules that depend on countries are skipped. */
  countries: NodeCountries | null;
  /** The carrier's own country; null: usage abroad is not checked. */
  home: string | null;
}

/**
 * Yields what in the journal looks like fraud, rule by rule, the largest first. Reads the journal, rates nothing and books
 * nothing. Rejects with a StoreError.
 */
export async function* findFraud(store: Store, request: FraudRequest): AsyncGenerator<Finding> {
  for (const [rule, sql] of await statementsOf(store, request)) yield* await readFindings(store, rule, sql);
}

async function statementsOf(store: Store, request: FraudRequest): Promise<[FraudRule, string][]> {
  const { range, thresholds, countries, home } = request;
  const statements: [FraudRule, string][] = [
    ['evidence_conflict', evidenceConflicts(range, thresholds)],
    ['tag_elsewhere', tagElsewhere(range, thresholds)],
    ['many_nodes', manyNodes(range, thresholds)],
    ['spread', spreads(range, thresholds)],
    ['upload_share', uploadShares(range, thresholds)],
    ['volume', volumes(range, thresholds)],
    ['several_places', severalPlaces(range, thresholds)],
    ['charged_twice', chargedTwice(range, thresholds)],
  ];
  if (countries === null) return statements;
  const seen = await seenAmong(store, range, countries);
  statements.push(['fast_travel', fastTravel(range, thresholds, seen)]);
  if (home !== null) statements.push(['roaming', roaming(range, thresholds, seen, home)]);
  return [...statements, ['unmapped_node', unmappedNodes(range, seen)]];
}

/** Returns the listed nodes that made records: a list may have all nodes of the world, which a statement cannot hold. */
async function seenAmong(store: Store, range: FraudRange, countries: NodeCountries): Promise<NodeCountries> {
  const rows = await store.query<{ node: string }>(
    `SELECT DISTINCT toString(node_id) AS node FROM ${chargesIn(range)}`,
  );
  const seen = rows.flatMap(({ node }) => {
    const country = countries.get(node);
    return country === undefined ? [] : [[node, country] as const];
  });
  // An empty list has no type in ClickHouse.
  return new Map([...seen, ['', '']]);
}
