-- The columns that batch rows got since; a view that is replaced loses its comments.
CREATE OR REPLACE VIEW batches AS
SELECT
    topic, partition, first_offset, offset AS last_offset, prev, booking_date, chained_on, lane, lane_sequence, lane_position,
    records_read, records_charged, records_not_sponsored, records_duplicate, records_rejected,
    octets_charged, octets_not_sponsored, octets_duplicate, octets_rejected,
    key_mismatches, catalogue_hash, suspension_number, closing_number, campaign_number, gap_reason, source_proof,
    leakage_rows, published_through, engine_version, digest
FROM journal
WHERE kind = 'batch';

ALTER TABLE batches
    MODIFY COMMENT 'one insert into the journal: all that became of the records from one offset to another',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN first_offset 'the batch''s first offset',
    COMMENT COLUMN last_offset 'the batch''s last offset',
    COMMENT COLUMN prev 'the cursor that the batch extends; -1 before the first',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN chained_on 'booking date of the batch before in the lane; 1970-01-01 for the first',
    COMMENT COLUMN lane 'what shares counters and a chain of batches: topic-partition, or "files"',
    COMMENT COLUMN lane_sequence 'number of the batch in its lane, from 1',
    COMMENT COLUMN lane_position 'records read in the lane before this batch',
    COMMENT COLUMN records_read 'records of the batch: charged + not sponsored + duplicate + rejected',
    COMMENT COLUMN records_charged 'records rated under a plan',
    COMMENT COLUMN records_not_sponsored 'records that no sponsor pays for',
    COMMENT COLUMN records_duplicate 'records that were read before, dropped',
    COMMENT COLUMN records_rejected 'records that could not be rated',
    COMMENT COLUMN octets_charged 'octets of the charged records, uplink and downlink',
    COMMENT COLUMN octets_not_sponsored 'octets of the records that no sponsor pays for',
    COMMENT COLUMN octets_duplicate 'octets of the duplicates',
    COMMENT COLUMN octets_rejected 'octets of the rejected records that could be read',
    COMMENT COLUMN key_mismatches 'records whose Kafka key is neither their MSISDN nor their account',
    COMMENT COLUMN catalogue_hash 'the catalogue that the batch was rated with',
    COMMENT COLUMN suspension_number 'the last suspension fact that the batch was rated with',
    COMMENT COLUMN closing_number 'the last closing that the batch was rated with',
    COMMENT COLUMN campaign_number 'the last campaign fact that the batch was rated with; 0: none, or a catalogue without campaigns',
    COMMENT COLUMN gap_reason 'why the batch has no records: records_lost, topic_recreated or start_position; empty for every other batch',
    COMMENT COLUMN source_proof 'octets and SHA-256 of what proves the source; files: their content up to the batch''s end, unpacked; Kafka: the record at the batch''s last offset; empty where there is none',
    COMMENT COLUMN leakage_rows 'rows of leakage that the batch keeps at most, remainders left out; 0: it keeps none',
    COMMENT COLUMN published_through 'the quota updates of the lane''s batches up to this number had been published when the batch was booked; -1: not recorded',
    COMMENT COLUMN engine_version 'the program that booked the batch',
    COMMENT COLUMN digest 'SHA-256 over the batch''s rows';
