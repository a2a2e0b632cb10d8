CREATE VIEW IF NOT EXISTS charges AS
SELECT
    booking_date, period_start, sponsor_id, application_id, plan_id, plan_version,
    lower(hex(subscriber)) AS subscriber,
    evidence, content_type, start_time, end_time, node_id, local_sequence_number,
    uplink_octets, downlink_octets, sponsored_octets,
    uplink_octets + downlink_octets - sponsored_octets AS subscriber_octets,
    charge_micros, currency, used_octets_after, carry_after, reason, topic, partition, offset
FROM journal
WHERE kind = 'charge';

CREATE VIEW IF NOT EXISTS rejections AS
SELECT reason, detail, payload, topic, partition, offset, booking_date
FROM journal
WHERE kind = 'rejection';

CREATE VIEW IF NOT EXISTS batches AS
SELECT
    topic, partition, first_offset, offset AS last_offset, prev, booking_date, lane, lane_sequence, lane_position,
    records_read, records_charged, records_not_sponsored, records_duplicate, records_rejected,
    octets_charged, octets_not_sponsored, octets_duplicate, octets_rejected,
    key_mismatches, catalogue_hash, suspension_number, engine_version, digest
FROM journal
WHERE kind = 'batch';

-- What became of the records of every batch, by application and reason.
CREATE VIEW IF NOT EXISTS outcomes AS
SELECT
    booking_date, topic, partition, offset AS last_offset,
    outcome.application_id AS application_id, outcome.reason AS reason,
    outcome.records AS records, outcome.octets AS octets
FROM journal
ARRAY JOIN outcomes AS outcome
WHERE kind = 'batch';

CREATE VIEW IF NOT EXISTS account_balances AS
SELECT
    sponsor_id, currency,
    sum(credited) AS credited_micros,
    sum(charged) AS charged_micros,
    credited_micros - charged_micros AS balance_micros
FROM
(
    SELECT sponsor_id, currency, amount_micros AS credited, toInt64(0) AS charged FROM account_entries
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, charge_micros AS charged FROM journal WHERE kind = 'charge'
)
GROUP BY sponsor_id, currency;

-- Subscribers whose charges stand in more than one lane of a topic: their counters are torn.
CREATE VIEW IF NOT EXISTS torn_subscribers AS
SELECT topic, lower(hex(subscriber)) AS subscriber, uniqExact(lane) AS lanes, count() AS records
FROM journal
WHERE kind = 'charge' AND lane != 'files'
GROUP BY topic, subscriber
HAVING lanes > 1;
