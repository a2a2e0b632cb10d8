import { literal } from '../../platform/clickhouse/store.ts';
import type { FraudRange, Thresholds } from './finding.ts';
import { chargesIn, SUBJECT } from './read-findings.ts';

/** The country of each node that has one, as ISO 3166-1 alpha-2. */
export type NodeCountries = ReadonlyMap<string, string>;

/** Finds subscribers who were in two countries in less time than the way takes. */
export function fastTravel(range: FraudRange, { travelMinutes }: Thresholds, countries: NodeCountries): string {
  return `
    SELECT
      arrayStringConcat(arraySort(groupUniqArray(sponsor_id)), ' ') AS sponsor,
      arrayStringConcat(arraySort(groupUniqArray(application_id)), ' ') AS application,
      ${SUBJECT}, count() AS moves, arrayStringConcat(arraySort(groupUniqArray(before || '-' || country)), ' ') AS countries,
      min(minutes) AS fewest_minutes, formatDateTime(min(start_time), '%FT%TZ', 'UTC') AS first_at,
      '${travelMinutes} minutes between two countries' AS threshold
    FROM
    (
      SELECT
        sponsor_id, application_id, subscriber, start_time, country,
        lagInFrame(country, 1, '') OVER one_before AS before,
        intDiv(toUnixTimestamp64Milli(start_time) - toUnixTimestamp64Milli(lagInFrame(end_time, 1) OVER one_before), 60000) AS minutes
      FROM
      (
        SELECT sponsor_id, application_id, subscriber, start_time, end_time, ${countryOf(countries)} AS country
        FROM ${chargesIn(range)} AND country != ''
      )
      WINDOW one_before AS
        (PARTITION BY subscriber ORDER BY start_time, end_time, country ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE before != '' AND before != country AND minutes < ${travelMinutes}
    GROUP BY subscriber
    ORDER BY moves DESC, subject`;
}

/** Finds subscribers who were sponsored on nodes of other countries than the carrier's own. */
export function roaming(
  range: FraudRange,
  { roamingOctets }: Thresholds,
  countries: NodeCountries,
  home: string,
): string {
  return `
    SELECT
      sponsor_id AS sponsor, application_id AS application, ${SUBJECT}, count() AS records,
      sum(sponsored_octets) AS octets_abroad, arrayStringConcat(arraySort(groupUniqArray(country)), ' ') AS countries,
      sum(charge_micros) AS charge_micros, any(currency) AS currency,
      '${roamingOctets} sponsored octets outside of ${home}' AS threshold
    FROM
    (
      SELECT sponsor_id, application_id, subscriber, sponsored_octets, charge_micros, currency, ${countryOf(countries)} AS country
      FROM ${chargesIn(range)} AND country NOT IN ('', ${literal(home)})
    )
    GROUP BY sponsor_id, application_id, subscriber
    HAVING octets_abroad >= ${roamingOctets}
    ORDER BY octets_abroad DESC, subject`;
}

/** Finds nodes that made charged records and are missing from the list. */
export function unmappedNodes(range: FraudRange, countries: NodeCountries): string {
  return `
    SELECT
      arrayStringConcat(arraySort(groupUniqArray(sponsor_id)), ' ') AS sponsor,
      arrayStringConcat(arraySort(groupUniqArray(application_id)), ' ') AS application,
      toString(node_id) AS subject, count() AS records, uniqExact(subscriber) AS subscribers,
      sum(uplink_octets + downlink_octets) AS octets, 'not among the nodes' AS threshold
    FROM ${chargesIn(range)} AND ${countryOf(countries)} = ''
    GROUP BY node_id
    ORDER BY octets DESC, subject`;
}

function countryOf(countries: NodeCountries): string {
  const list = (texts: Iterable<string>) => `[${[...texts].map(literal).join(', ')}]`;
  return `transform(toString(node_id), ${list(countries.keys())}, ${list(countries.values())}, '')`;
}
