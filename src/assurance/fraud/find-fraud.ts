import type { Store } from '../../platform/clickhouse/store.ts';
import type { Finding, FraudRange, FraudRule, Thresholds } from './finding.ts';
import { manyNodes, severalPlaces, spreads } from './place-rules.ts';
import { chargesIn, dateOf, readFindings, SUBJECT } from './read-findings.ts';
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

/**
 * Finds days on which many records of a log had a tag and an address of different applications. The journal counts them by
 * log and keeps nothing else of them: only the source knows their subscribers.
 */
function evidenceConflicts({ fromDay, toDay }: FraudRange, { conflictShare, conflictRecords }: Thresholds): string {
  return `
    SELECT
      '' AS sponsor, '' AS application, topic AS subject, toString(booking_date) AS day,
      sumIf(records, reason = 'evidence_conflict') AS conflicts, sumIf(octets, reason = 'evidence_conflict') AS conflict_octets,
      sum(records) AS all_records, round(conflicts / all_records, 4) AS share,
      '${conflictRecords} records and a share of ${conflictShare}' AS threshold
    FROM outcomes
    WHERE booking_date >= ${dateOf(fromDay)} AND booking_date < ${dateOf(toDay)}
    GROUP BY topic, booking_date
    HAVING conflicts >= ${conflictRecords} AND conflicts >= ${conflictShare} * all_records
    ORDER BY conflicts DESC, subject, day`;
}

/** Finds subscribers who are recognised by the tag alone, where most of an application's octets pass its proxies. */
function tagElsewhere(range: FraudRange, { tagShare, tagRecords }: Thresholds): string {
  return `
    WITH usage AS
    (
      SELECT
        sponsor_id, application_id, subscriber, count() AS records,
        sum(uplink_octets + downlink_octets) AS octets, sumIf(uplink_octets + downlink_octets, evidence = 'tag') AS tag_octets,
        sum(charge_micros) AS charge_micros, any(currency) AS currency
      FROM ${chargesIn(range)}
      GROUP BY sponsor_id, application_id, subscriber
    )
    SELECT
      sponsor_id AS sponsor, application_id AS application, ${SUBJECT}, records, tag_octets,
      round(tag_octets / octets, 4) AS share, charge_micros, currency,
      '${tagRecords} records and a share of ${tagShare}, where most octets have an address' AS threshold
    FROM usage
    WHERE records >= ${tagRecords} AND octets > 0 AND tag_octets >= ${tagShare} * octets AND application_id IN
    (
      SELECT application_id FROM usage GROUP BY application_id HAVING sum(tag_octets) * 2 < sum(octets)
    )
    ORDER BY tag_octets DESC, subject`;
}

/** Above this ClickHouse continues in files: there is a group for each record. */
const MEMORY_BYTES = 512 * 2 ** 20;

/** Finds nodes whose records are charged more than once: the same number with the same times and octets, in any log. */
function chargedTwice(range: FraudRange, { repeats }: Thresholds): string {
  return `
    SELECT
      sponsor_id AS sponsor, application_id AS application, toString(node_id) AS subject, sum(times - 1) AS records,
      sum(repeated_octets) AS octets, sum(repeated_micros) AS charge_micros, any(currency) AS currency,
      min(local_sequence_number) AS first_number, max(local_sequence_number) AS last_number,
      toString(min(first_start)) AS first_start, argMin(logs, local_sequence_number) AS first_logs,
      '${repeats} records charged again' AS threshold
    FROM
    (
      SELECT
        sponsor_id, application_id, node_id, local_sequence_number, count() AS times, min(start_time) AS first_start,
        sum(sponsored_octets) - argMin(sponsored_octets, used_octets_after) AS repeated_octets,
        sum(charge_micros) - argMin(charge_micros, used_octets_after) AS repeated_micros, any(currency) AS currency,
        arrayStringConcat(arraySort(groupUniqArray(4)(concat(topic, '-', toString(partition)))), ' ') AS logs
      FROM ${chargesIn(range)} AND (sponsored_octets > 0 OR charge_micros != 0)
      GROUP BY
        sponsor_id, application_id, node_id, local_sequence_number, start_time, end_time, uplink_octets, downlink_octets,
        content_type
      HAVING times > 1
    )
    GROUP BY sponsor_id, application_id, node_id
    HAVING records >= ${repeats}
    ORDER BY charge_micros DESC, subject
    SETTINGS max_bytes_before_external_group_by = ${MEMORY_BYTES}`;
}
