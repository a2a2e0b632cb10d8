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
    key_mismatches, catalogue_hash, suspension_number, closing_number, engine_version, digest
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

-- Subscribers whose charges stand in more than one lane of a topic: their counters are torn.
CREATE VIEW IF NOT EXISTS torn_subscribers AS
SELECT topic, lower(hex(subscriber)) AS subscriber, uniqExact(lane) AS lanes, count() AS records
FROM journal
WHERE kind = 'charge' AND lane != 'files'
GROUP BY topic, subscriber
HAVING lanes > 1;

-- Sequence numbers that a node must have used and that no readable record had: between two that did. What they may have
-- held is estimated by what the node's records hold on average.
CREATE VIEW IF NOT EXISTS sequence_gaps AS
WITH
    arrived AS
    (
        SELECT seen_nodes[identity.node + 1] AS node_id, identity.sequence AS sequence
        FROM journal ARRAY JOIN seen AS identity
        WHERE kind = 'batch'
        UNION DISTINCT
        SELECT JSONExtractString(payload, 'nodeId') AS node_id, JSONExtractInt(payload, 'localSequenceNumber') AS sequence
        FROM journal
        WHERE kind = 'rejection' AND JSONType(payload, 'nodeId') = 'String' AND JSONType(payload, 'localSequenceNumber') = 'Int64'
    ),
    gaps AS
    (
        SELECT node_id, previous + 1 AS first_missing, sequence - 1 AS last_missing, sequence - previous - 1 AS missing
        FROM
        (
            SELECT
                node_id, sequence,
                lagInFrame(sequence, 1, sequence) OVER
                    (PARTITION BY node_id ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous
            FROM arrived
        )
        WHERE sequence > previous + 1
    ),
    totals AS
    (
        SELECT node_id, sum(octets) AS octets, sumMap(map(currency, micros)) AS micros
        FROM
        (
            SELECT node_id, currency, sum(uplink_octets + downlink_octets) AS octets, sum(charge_micros) AS micros
            FROM journal
            WHERE kind = 'charge'
            GROUP BY node_id, currency
        )
        GROUP BY node_id
    ),
    counts AS (SELECT node_id, count() AS records FROM arrived GROUP BY node_id)
SELECT
    gaps.node_id AS node_id, first_missing, last_missing, missing,
    intDiv(totals.octets * missing, counts.records) AS charged_octets_at_risk,
    mapApply((currency, micros) -> (currency, intDiv(micros * missing, counts.records)), totals.micros) AS charge_micros_at_risk
FROM gaps
INNER JOIN counts ON counts.node_id = gaps.node_id
LEFT JOIN totals ON totals.node_id = gaps.node_id;
