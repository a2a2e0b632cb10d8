import type { FraudRange, Thresholds } from './finding.ts';
import { chargesIn, dateOf, SUBJECT } from './read-findings.ts';

/**
 * Finds days on which many records of a log had a tag and an address of different applications. The journal counts them by
 * log and keeps nothing else of them: only the source knows their subscribers.
 */
export function evidenceConflicts(
  { fromDay, toDay }: FraudRange,
  { conflictShare, conflictRecords }: Thresholds,
): string {
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
export function tagElsewhere(range: FraudRange, { tagShare, tagRecords }: Thresholds): string {
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
