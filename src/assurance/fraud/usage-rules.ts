import { FEWEST_SUBSCRIBERS, type FraudRange, type Thresholds } from './finding.ts';
import { chargesIn, median, SUBJECT } from './read-findings.ts';

/** Converts a median absolute deviation to a standard deviation, for a normal distribution. */
const TO_DEVIATION = 1.4826;

/** Finds subscribers who send far more than they receive, compared with users of the same application. */
export function uploadShares(range: FraudRange, { uploadShare, uploadOctets, deviations }: Thresholds): string {
  return `
    WITH
      usage AS
      (
        SELECT
          sponsor_id, application_id, subscriber, sum(uplink_octets) AS uplink, sum(uplink_octets + downlink_octets) AS octets,
          uplink / octets AS upload, sum(charge_micros) AS charge_micros, any(currency) AS currency
        FROM ${chargesIn(range)}
        GROUP BY sponsor_id, application_id, subscriber
        HAVING octets > 0
      ),
      middle AS (SELECT application_id, count() AS subscribers, ${median('upload')} AS ordinary FROM usage GROUP BY application_id),
      spread AS
      (
        SELECT application_id, ${median('abs(upload - ordinary)')} * ${TO_DEVIATION} AS deviation
        FROM usage INNER JOIN middle USING application_id
        GROUP BY application_id
      )
    SELECT
      sponsor_id AS sponsor, application_id AS application, ${SUBJECT}, uplink AS uplink_octets, octets,
      round(upload, 4) AS share, round(ordinary, 4) AS median_share, charge_micros, currency,
      greatest(${uploadShare}, if(subscribers < ${FEWEST_SUBSCRIBERS}, 0, ordinary + ${deviations} * deviation)) AS limit_share,
      '${uploadOctets} octets and a share of ' || toString(round(limit_share, 4)) AS threshold
    FROM usage INNER JOIN middle USING application_id INNER JOIN spread USING application_id
    WHERE octets >= ${uploadOctets} AND upload >= limit_share
    ORDER BY uplink_octets DESC, subject`;
}

/**
 * Finds subscribers who use far more than others under the same plan in the same period. Volumes spread over powers of ten,
 * so their logarithms are compared.
 */
export function volumes(range: FraudRange, { volumeFactor, volumeOctets, deviations }: Thresholds): string {
  return `
    WITH
      usage AS
      (
        SELECT
          sponsor_id, application_id, plan_id, period_start, subscriber, sum(uplink_octets + downlink_octets) AS octets,
          sum(sponsored_octets) AS sponsored, sum(charge_micros) AS charge_micros, any(currency) AS currency
        FROM ${chargesIn(range)}
        GROUP BY sponsor_id, application_id, plan_id, period_start, subscriber
        HAVING octets > 0
      ),
      middle AS
      (
        SELECT plan_id, period_start, count() AS subscribers, ${median('log(octets)')} AS ordinary
        FROM usage
        GROUP BY plan_id, period_start
        HAVING subscribers >= ${FEWEST_SUBSCRIBERS}
      ),
      spread AS
      (
        SELECT plan_id, period_start, ${median('abs(log(octets) - ordinary)')} * ${TO_DEVIATION} AS deviation
        FROM usage INNER JOIN middle USING (plan_id, period_start)
        GROUP BY plan_id, period_start
      )
    SELECT
      sponsor_id AS sponsor, application_id AS application, ${SUBJECT}, plan_id AS plan, toString(period_start) AS period, octets,
      sponsored AS sponsored_octets, toUInt64(exp(ordinary)) AS median_octets, charge_micros, currency,
      toUInt64(exp(ordinary) * greatest(${volumeFactor}, exp(${deviations} * deviation))) AS limit_octets,
      toString(greatest(limit_octets, toUInt64(${volumeOctets}))) || ' octets' AS threshold
    FROM usage INNER JOIN middle USING (plan_id, period_start) INNER JOIN spread USING (plan_id, period_start)
    WHERE octets >= ${volumeOctets} AND octets > limit_octets
    ORDER BY octets DESC, subject, period`;
}
