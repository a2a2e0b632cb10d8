-- A correction may read the booked records again from their source, and then also charge a record that had no sponsor when it was
-- booked. The journal has no row of such a record, so the row that charges it first has the record's own fields.
ALTER TABLE corrections
    ADD COLUMN IF NOT EXISTS read_logs Array(Tuple(lane String, topic String, partition Int32, first_offset Int64, last_offset Int64, records UInt64, source_proof String, records_digest String))
        COMMENT 'head: what was read again from the source, by log: its offsets, the journal''s proof of the last batch, and SHA-256 over the records; empty: nothing was' AFTER recycling;

ALTER TABLE corrections
    ADD COLUMN IF NOT EXISTS lane LowCardinality(String)
        COMMENT 'first charge of a record without a charge row in the journal: what shares counters with it; empty in every other row' AFTER carry_after,
    ADD COLUMN IF NOT EXISTS record_booked_on Date
        COMMENT 'first charge: booking date of the batch that has the record as unsponsored' AFTER lane,
    ADD COLUMN IF NOT EXISTS end_time DateTime64(3, 'UTC')
        COMMENT 'first charge: the record''s endTime, UTC' AFTER record_booked_on,
    ADD COLUMN IF NOT EXISTS node_id LowCardinality(String)
        COMMENT 'first charge: the gateway that made the record' AFTER end_time,
    ADD COLUMN IF NOT EXISTS local_sequence_number Int64
        COMMENT 'first charge: the gateway''s number of the record; with node_id its identity' AFTER node_id,
    ADD COLUMN IF NOT EXISTS uplink_octets UInt64
        COMMENT 'first charge: IP octets from the terminal' AFTER local_sequence_number,
    ADD COLUMN IF NOT EXISTS downlink_octets UInt64
        COMMENT 'first charge: IP octets to the terminal' AFTER uplink_octets;

-- The records that the journal has no charge row of and that a correction charges, with their current charge.
CREATE VIEW IF NOT EXISTS sponsored_later AS
SELECT
    first_lane AS lane, topic, partition, offset, first_record_booked_on AS record_booked_on, correction_number,
    last_sponsor_id AS sponsor_id, last_application_id AS application_id, last_plan_id AS plan_id,
    last_plan_version AS plan_version, last_period_start AS period_start, first_subscriber AS subscriber,
    last_evidence AS evidence, first_content_type AS content_type, first_start_time AS start_time,
    first_end_time AS end_time, first_node_id AS node_id, first_local_sequence_number AS local_sequence_number,
    first_uplink_octets AS uplink_octets, first_downlink_octets AS downlink_octets,
    toUInt64(last_sponsored_octets) AS sponsored_octets, last_charge_micros AS charge_micros, last_currency AS currency,
    last_used_octets_after AS used_octets_after, last_carry_after AS carry_after, last_reason AS reason
FROM
(
    SELECT
        topic, partition, offset, max(number) AS correction_number, argMax(kind, (number, kind)) AS last_kind,
        argMaxIf(lane, number, lane != '') AS first_lane,
        argMaxIf(record_booked_on, number, lane != '') AS first_record_booked_on,
        argMaxIf(subscriber, number, lane != '') AS first_subscriber,
        argMaxIf(content_type, number, lane != '') AS first_content_type,
        argMaxIf(start_time, number, lane != '') AS first_start_time, argMaxIf(end_time, number, lane != '') AS first_end_time,
        argMaxIf(node_id, number, lane != '') AS first_node_id,
        argMaxIf(local_sequence_number, number, lane != '') AS first_local_sequence_number,
        argMaxIf(uplink_octets, number, lane != '') AS first_uplink_octets,
        argMaxIf(downlink_octets, number, lane != '') AS first_downlink_octets,
        argMax(sponsor_id, (number, kind)) AS last_sponsor_id, argMax(application_id, (number, kind)) AS last_application_id,
        argMax(plan_id, (number, kind)) AS last_plan_id, argMax(plan_version, (number, kind)) AS last_plan_version,
        argMax(period_start, (number, kind)) AS last_period_start, argMax(evidence, (number, kind)) AS last_evidence,
        argMax(sponsored_octets, (number, kind)) AS last_sponsored_octets,
        argMax(charge_micros, (number, kind)) AS last_charge_micros, argMax(currency, (number, kind)) AS last_currency,
        argMax(used_octets_after, (number, kind)) AS last_used_octets_after,
        argMax(carry_after, (number, kind)) AS last_carry_after, argMax(reason, (number, kind)) AS last_reason
    FROM corrections
    WHERE kind != 'head' AND (topic, partition, offset) IN (SELECT topic, partition, offset FROM corrections WHERE lane != '')
    GROUP BY topic, partition, offset
)
WHERE last_kind = 'charge';

CREATE OR REPLACE VIEW torn_subscribers AS
SELECT topic, lower(hex(subscriber)) AS subscriber, uniqExact(lane) AS lanes, count() AS records
FROM
(
    SELECT topic, subscriber, lane FROM journal WHERE kind = 'charge' AND lane != 'files'
    UNION ALL
    SELECT topic, subscriber, lane FROM sponsored_later WHERE lane != 'files'
)
GROUP BY topic, subscriber
HAVING lanes > 1;

ALTER TABLE sponsored_later
    MODIFY COMMENT 'records that had no sponsor when they were booked and that a correction charges since, with their current charge: they are in `bookings`, not in `charges`',
    COMMENT COLUMN lane 'what shares counters and a chain of batches',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s offset',
    COMMENT COLUMN record_booked_on 'booking date of the batch that has the record as unsponsored: `outcomes` and `leakage` count it there',
    COMMENT COLUMN correction_number 'number of the correction that decided on the current charge',
    COMMENT COLUMN sponsor_id 'who pays',
    COMMENT COLUMN application_id 'the sponsor''s application that the traffic was of',
    COMMENT COLUMN plan_id 'the sponsorship plan that rated it',
    COMMENT COLUMN plan_version 'version of the plan in force at the record''s start',
    COMMENT COLUMN period_start 'first day of the statistics period in the plan''s time zone',
    COMMENT COLUMN subscriber 'keyed pseudonym (128 bits)',
    COMMENT COLUMN evidence 'what named the application when the record was read again',
    COMMENT COLUMN content_type 'as the record names it; unknown when it names none',
    COMMENT COLUMN start_time 'the record''s startTime, UTC',
    COMMENT COLUMN end_time 'the record''s endTime, UTC',
    COMMENT COLUMN node_id 'the gateway that made the record',
    COMMENT COLUMN local_sequence_number 'the gateway''s number of the record; with node_id its identity',
    COMMENT COLUMN uplink_octets 'IP octets from the terminal',
    COMMENT COLUMN downlink_octets 'IP octets to the terminal',
    COMMENT COLUMN sponsored_octets 'the sponsor pays for these',
    COMMENT COLUMN charge_micros 'millionths of a currency unit',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN used_octets_after 'the counter after this record, as the correction counts',
    COMMENT COLUMN carry_after 'the counter after this record: ten-thousandths of an octet left over by the share',
    COMMENT COLUMN reason 'the one reason for the outcome';

-- A view that is replaced loses its comments.
ALTER TABLE torn_subscribers
    MODIFY COMMENT 'subscribers charged in more than one lane of a topic: the producer does not key by MSISDN',
    COMMENT COLUMN topic 'Kafka topic',
    COMMENT COLUMN subscriber 'keyed pseudonym, 32 hex digits',
    COMMENT COLUMN lanes 'lanes that have charges of the subscriber; each has a counter of its own',
    COMMENT COLUMN records 'charges of the subscriber';

ALTER TABLE leakage
    MODIFY COMMENT 'octets that no sponsor paid for when they were booked, by where they come from: of each batch the largest groups; with the remainders the sums are those of outcomes; `sponsored_later` has what a correction charges since';
