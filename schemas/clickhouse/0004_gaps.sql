-- What a source lost before it was booked, and an operator accepted: a batch without records, in the chain like every other.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS gap_reason LowCardinality(String)
        COMMENT 'why the batch has no records: records_lost or topic_recreated; empty for every other batch' AFTER digest;

CREATE VIEW IF NOT EXISTS source_gaps AS
SELECT
    lane, lane_sequence, topic, partition, gap_reason AS reason,
    first_offset AS first_lost_offset, offset AS last_lost_offset, offset - first_offset + 1 AS offsets_lost, booking_date
FROM journal
WHERE kind = 'batch' AND gap_reason != '';

-- Sequence numbers that a node must have used and that no readable record had: between two that did. A node counts to
-- 4294967295 and begins again (TS 32.298): one that has lately done so has its highest numbers before its lowest, and what
-- lies between them was never used. What the missing ones may have held is estimated by what the node's records hold on
-- average. Records that were cut out of CDRs are of a node with `/cdr` behind its name, and their number is the CDR's, times
-- 10000, and a place in it: there it is CDRs that are missing.
CREATE OR REPLACE VIEW sequence_gaps AS
WITH
    arrived AS
    (
        SELECT DISTINCT node_id, if(endsWith(node_id, '/cdr'), intDiv(number, 10000), number) AS sequence
        FROM
        (
            SELECT seen_nodes[identity.node + 1] AS node_id, identity.sequence AS number
            FROM journal ARRAY JOIN seen AS identity
            WHERE kind = 'batch'
            UNION ALL
            SELECT JSONExtractString(payload, 'nodeId') AS node_id, JSONExtractInt(payload, 'localSequenceNumber') AS number
            FROM journal
            WHERE kind = 'rejection' AND JSONType(payload, 'nodeId') = 'String'
                AND JSONType(payload, 'localSequenceNumber') = 'Int64'
        )
    ),
    begun_again AS
    (
        SELECT node_id FROM
        (
            SELECT
                node_id,
                sequence - lagInFrame(sequence, 1, sequence) OVER
                    (PARTITION BY node_id ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS step,
                max(sequence) OVER (PARTITION BY node_id) AS highest
            FROM arrived
        )
        GROUP BY node_id HAVING max(step) > 2147483648 AND max(highest) < 4294967296
    ),
    in_order AS
    (
        -- Half of all numbers stand before 0 where the node has begun again.
        SELECT node_id, sequence - if(sequence >= 2147483648 AND node_id IN begun_again, 4294967296, 0) AS place
        FROM arrived
    ),
    gaps AS
    (
        SELECT
            node_id, place - previous - 1 AS missing,
            previous + 1 + if(previous + 1 < 0, 4294967296, 0) AS first_missing,
            place - 1 + if(place - 1 < 0, 4294967296, 0) AS last_missing
        FROM
        (
            SELECT
                node_id, place,
                lagInFrame(place, 1, place) OVER
                    (PARTITION BY node_id ORDER BY place ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous
            FROM in_order
        )
        WHERE place > previous + 1
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
