-- Where the octets that no sponsor pays for come from: of each batch the largest groups, and what is left as one sum for each
-- application and reason. A batch row has no row of its own for an unsponsored record, so this is all that is known of them.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS leakage_rows UInt64
        COMMENT 'rows of leakage that the batch keeps at most, remainders left out; 0: it keeps none' AFTER closing_number;

ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS leakage Array(Tuple(application_id LowCardinality(String), reason LowCardinality(String), prefix String, tag String, node_id LowCardinality(String), day Date, records UInt64, octets UInt64))
        COMMENT 'octets that no sponsor pays for, by application, reason, remote network, tag, node and day of use; the prefix is empty in the sum of what has no row of its own' AFTER seen;

CREATE VIEW IF NOT EXISTS leakage AS
SELECT
    booking_date, topic, partition, offset AS last_offset,
    row.application_id AS application_id, row.reason AS reason,
    row.prefix AS remote_prefix, row.tag AS tag, row.node_id AS node_id,
    if(row.prefix = '', NULL, toNullable(row.day)) AS usage_date,
    row.prefix = '' AS is_remainder,
    row.records AS records, row.octets AS octets
FROM journal
ARRAY JOIN leakage AS row
WHERE kind = 'batch';

ALTER TABLE leakage
    MODIFY COMMENT 'octets that no sponsor pays for, by where they come from: of each batch the largest groups; with the remainders the sums are those of outcomes',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN last_offset 'the batch''s last offset',
    COMMENT COLUMN application_id 'the application that the evidence names; empty where none does',
    COMMENT COLUMN reason 'why no sponsor pays',
    COMMENT COLUMN remote_prefix 'network of the remote address, /24 of IPv4 and /48 of IPv6; empty in a remainder',
    COMMENT COLUMN tag 'zero-rating tag of the records; empty: none, or a remainder',
    COMMENT COLUMN node_id 'the gateway that made the records; empty in a remainder',
    COMMENT COLUMN usage_date 'day of the records'' start, UTC; NULL in a remainder',
    COMMENT COLUMN is_remainder 'the sum of the application''s and reason''s groups that have no row of their own in the batch',
    COMMENT COLUMN records 'unsponsored records',
    COMMENT COLUMN octets 'their octets, uplink and downlink';

ALTER TABLE corrections
    COMMENT COLUMN correction 'head: name of the correction',
    COMMENT COLUMN booked_at 'head: when it was booked',
    COMMENT COLUMN who 'head: who booked it',
    COMMENT COLUMN why 'head: reason in words',
    COMMENT COLUMN catalogue_hash 'head: the catalogue that the charges were rated with';
