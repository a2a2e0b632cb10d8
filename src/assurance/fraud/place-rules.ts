import type { FraudRange, Thresholds } from './finding.ts';
import { chargesIn, median, SUBJECT } from './read-findings.ts';

/** Fewer days than this have no median day, and fewer additional nodes are chance. */
const FEWEST_DAYS = 5;
const FEWEST_NODES_MORE = 3;

/** Finds subscribers who were charged on many nodes for one application within a day (UTC); the day with most of them. */
export function manyNodes(range: FraudRange, { nodes }: Thresholds): string {
  return `
    SELECT
      sponsor_id AS sponsor, application_id AS application, ${SUBJECT}, max(seen) AS nodes, toString(argMax(day, seen)) AS on_day,
      count() AS days, sum(records) AS records, sum(micros) AS charge_micros, any(currency) AS currency,
      '${nodes} nodes in a day' AS threshold
    FROM
    (
      SELECT
        sponsor_id, application_id, subscriber, toDate(start_time) AS day, uniqExact(node_id) AS seen, count() AS records,
        sum(charge_micros) AS micros, any(currency) AS currency
      FROM ${chargesIn(range)}
      GROUP BY sponsor_id, application_id, subscriber, day
      HAVING seen >= ${nodes}
    )
    GROUP BY sponsor_id, application_id, subscriber
    ORDER BY nodes DESC, subject`;
}

/** Finds days (UTC) on which an application's traffic came from far more nodes than on its median day. */
export function spreads(range: FraudRange, { spread }: Thresholds): string {
  return `
    WITH days AS
    (
      SELECT
        sponsor_id, application_id, toDate(start_time) AS day, uniqExact(node_id) AS seen, count() AS records,
        sum(charge_micros) AS micros, any(currency) AS currency
      FROM ${chargesIn(range)}
      GROUP BY sponsor_id, application_id, day
    )
    SELECT
      sponsor_id AS sponsor, application_id AS application, application_id AS subject, toString(day) AS on_day, seen AS nodes,
      ordinary AS median_nodes, records, micros AS charge_micros, currency,
      '${spread} times ' || toString(ordinary) || ' nodes' AS threshold
    FROM days INNER JOIN
    (
      SELECT application_id, ${median('seen')} AS ordinary FROM days GROUP BY application_id HAVING count() >= ${FEWEST_DAYS}
    ) AS middle USING application_id
    WHERE seen >= ${spread} * ordinary AND seen >= ordinary + ${FEWEST_NODES_MORE}
    ORDER BY nodes DESC, application, on_day`;
}

/** Finds subscribers whose records overlap records of other nodes: each is compared with the longest one before it. */
export function severalPlaces(range: FraudRange, { overlaps, overlapSeconds }: Thresholds): string {
  return `
    SELECT
      arrayStringConcat(arraySort(groupUniqArray(sponsor_id)), ' ') AS sponsor,
      arrayStringConcat(arraySort(groupUniqArray(application_id)), ' ') AS application,
      ${SUBJECT}, count() AS records,
      arrayStringConcat(arraySort(groupUniqArrayArray([node_id, before])), ' ') AS nodes,
      max(overlap) AS longest_overlap_seconds, formatDateTime(min(start_time), '%FT%TZ', 'UTC') AS first_at,
      '${overlaps} records by ${overlapSeconds} seconds' AS threshold
    FROM
    (
      SELECT
        sponsor_id, application_id, subscriber, toString(node_id) AS node_id, start_time,
        argMax(toString(node_id), end_time) OVER earlier AS before,
        intDiv(least(toUnixTimestamp64Milli(end_time), toUnixTimestamp64Milli(max(end_time) OVER earlier))
          - toUnixTimestamp64Milli(start_time), 1000) AS overlap
      FROM ${chargesIn(range)}
      WINDOW earlier AS
        (PARTITION BY subscriber ORDER BY start_time, end_time, node_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
    WHERE before != '' AND before != node_id AND overlap >= ${overlapSeconds}
    GROUP BY subscriber
    HAVING records >= ${overlaps}
    ORDER BY records DESC, subject`;
}
