import type { FraudRange, Thresholds } from './finding.ts';
import { chargesIn } from './read-findings.ts';

/** Above this ClickHouse continues in files: there is a group for each record. */
const MEMORY_BYTES = 512 * 2 ** 20;

/** Finds nodes whose records are charged more than once: the same number with the same times and octets, in any log. */
export function chargedTwice(range: FraudRange, { repeats }: Thresholds): string {
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
