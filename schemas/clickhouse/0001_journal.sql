-- The journal: append-only, the only truth. A batch is one block in one partition: a row for each charged record, one for
-- each rejected record, and one batch row. Columns that a kind of row does not use hold their default.
CREATE TABLE IF NOT EXISTS journal
(
    kind Enum8('charge' = 1, 'rejection' = 2, 'batch' = 3) COMMENT 'what this row is',
    lane LowCardinality(String) COMMENT 'what shares counters and a chain of batches: topic-partition, or "files"',
    topic LowCardinality(String) COMMENT 'Kafka topic, or name of the file',
    partition Int32 COMMENT 'Kafka partition; 0 for a file',
    offset Int64 COMMENT 'the record''s offset; of a batch row: the batch''s last offset',
    booking_date Date COMMENT 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    chained_on Date COMMENT 'booking date of the batch before in the lane; 1970-01-01 for the first',

    reason LowCardinality(String) COMMENT 'the one reason for the outcome',
    sponsor_id LowCardinality(String) COMMENT 'who pays',
    application_id LowCardinality(String) COMMENT 'the sponsor''s application that the traffic was of',
    plan_id LowCardinality(String) COMMENT 'the sponsorship plan that rated it',
    plan_version UInt32 COMMENT 'version of the plan in force at the record''s start',
    period_start Date COMMENT 'first day of the statistics period in the plan''s time zone',
    subscriber FixedString(16) COMMENT 'keyed pseudonym (128 bits)',
    evidence Enum8('none' = 0, 'tag' = 1, 'ip' = 2, 'tag+ip' = 3, 'cdr' = 4, 'tag+cdr' = 5, 'cdr+ip' = 6, 'tag+cdr+ip' = 7)
        COMMENT 'what named the application: the zero-rating tag, the identities of the CDR, the proxy''s address, or several',
    content_type Enum8('text' = 0, 'voice' = 1, 'image' = 2, 'video' = 3, 'other' = 4, 'unknown' = 5)
        COMMENT 'as the record names it; unknown when it names none',
    start_time DateTime64(3, 'UTC') COMMENT 'the record''s startTime, UTC',
    end_time DateTime64(3, 'UTC') COMMENT 'the record''s endTime, UTC',
    node_id LowCardinality(String) COMMENT 'the gateway that made the record',
    local_sequence_number Int64 COMMENT 'the gateway''s number of the record; with node_id its identity',
    uplink_octets UInt64 COMMENT 'IP octets from the terminal',
    downlink_octets UInt64 COMMENT 'IP octets to the terminal',
    sponsored_octets UInt64 COMMENT 'the sponsor pays for these',
    charge_micros Int64 COMMENT 'millionths of a currency unit',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    used_octets_after UInt64 COMMENT 'the counter after this record: sponsored octets in the period',
    carry_after UInt16 COMMENT 'the counter after this record: ten-thousandths of an octet left over by the share',

    detail String COMMENT 'rejections: what was wrong',
    payload String COMMENT 'rejections: the record, capped, identities replaced by pseudonyms',

    first_offset Int64 COMMENT 'the batch''s first offset',
    prev Int64 COMMENT 'the cursor that the batch extends; -1 before the first',
    lane_sequence UInt64 COMMENT 'number of the batch in its lane, from 1: what the compare-and-swap compares',
    lane_position UInt64 COMMENT 'records read in the lane before this batch',
    records_read UInt64 COMMENT 'records of the batch: charged + not sponsored + duplicate + rejected',
    records_charged UInt64 COMMENT 'records rated under a plan: each is a charge row',
    records_not_sponsored UInt64 COMMENT 'records that no sponsor pays for',
    records_duplicate UInt64 COMMENT 'records that were read before, dropped',
    records_rejected UInt64 COMMENT 'records that could not be rated: each is a rejection row',
    octets_charged UInt64 COMMENT 'octets of the charged records, uplink and downlink',
    octets_not_sponsored UInt64 COMMENT 'octets of the records that no sponsor pays for',
    octets_duplicate UInt64 COMMENT 'octets of the duplicates',
    octets_rejected UInt64 COMMENT 'octets of the rejected records that could be read',
    key_mismatches UInt64 COMMENT 'records whose Kafka key is not their MSISDN',
    suspension_number UInt64 COMMENT 'the last suspension fact that the batch was rated with',
    closing_number UInt64 COMMENT 'the last closing of a month that the batch was rated with',
    catalogue_hash LowCardinality(String) COMMENT 'the catalogue that the batch was rated with',
    engine_version LowCardinality(String) COMMENT 'the program that booked the batch',
    digest String COMMENT 'SHA-256 over the batch''s rows',
    outcomes Array(Tuple(application_id LowCardinality(String), reason LowCardinality(String), records UInt64, octets UInt64))
        COMMENT 'what became of the batch''s records, by application and reason',
    seen_nodes Array(String) COMMENT 'nodes that `seen` counts by',
    seen Array(Tuple(row UInt32, node UInt32, sequence Int64, fingerprint UInt32))
        COMMENT 'identities of the records that were neither rejected nor duplicates: restores the duplicate window',
    INDEX booking_dates booking_date TYPE minmax,
    -- Sums that each part keeps of its own rows, written and merged with it: who asks for them reads no row. A query has to
    -- filter and group by these keys alone, and to sum the columns as they stand.
    PROJECTION usage_totals
    (
        SELECT
            kind, sponsor_id, period_start, booking_date, application_id, plan_id, plan_version, currency,
            content_type, reason, evidence,
            count(), sum(uplink_octets), sum(downlink_octets), sum(sponsored_octets), sum(charge_micros)
        GROUP BY
            kind, sponsor_id, period_start, booking_date, application_id, plan_id, plan_version, currency,
            content_type, reason, evidence
    )
)
ENGINE = MergeTree
-- A deduplication token is looked for within one partition. All batches that could extend the same one must meet there,
-- whatever records they hold, so it is the batch before that says which partition it is.
PARTITION BY toYYYYMM(chained_on)
ORDER BY (kind, lane, topic, partition, offset)
-- A batch's part is one file of data: with a file for each column an insert takes half as long again. Merges make them wide.
-- What was merged stays for a while: a merge on a full disk may leave an empty part, and then these are all that is left.
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 480,
    min_bytes_for_wide_part = 134217728;
