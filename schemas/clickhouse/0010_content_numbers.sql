-- Sequence numbers that a node must have used and that no readable record had: between two that did. A node counts to
-- 4294967295 and begins again (TS 32.298): one that has lately done so has its highest numbers before its lowest, and what
-- lies between them was never used. What the missing ones may have held is estimated by what the node's records hold on
-- average. Records that were cut out of CDRs are of a node with `/cdr` behind its name, and their number is the CDR's, times
-- 10000, and a place in it: there it is CDRs that are missing. The numbers of a node with `/content` behind its name are
-- hashes of the records' content: nothing is missing between them.
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
        WHERE NOT endsWith(node_id, '/content')
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

-- A view that is replaced loses its comments.
ALTER TABLE sequence_gaps
    MODIFY COMMENT 'sequence numbers that no readable record of a node had, with what they may have held on average',
    COMMENT COLUMN node_id 'the gateway that numbers its records',
    COMMENT COLUMN first_missing 'first number that is missing',
    COMMENT COLUMN last_missing 'last number that is missing',
    COMMENT COLUMN missing 'how many',
    COMMENT COLUMN charged_octets_at_risk 'octets that the missing ones may have held, by the node''s average',
    COMMENT COLUMN charge_micros_at_risk 'charges that they may have made, by currency, millionths of a unit';
