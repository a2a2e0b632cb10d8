-- Where the engine began in a partition that nothing was booked of: a batch without records, as a loss is, but none.
CREATE OR REPLACE VIEW source_gaps AS
SELECT
    lane, lane_sequence, topic, partition, gap_reason AS reason,
    first_offset AS first_lost_offset, offset AS last_lost_offset, offset - first_offset + 1 AS offsets_lost, booking_date
FROM journal
WHERE kind = 'batch' AND gap_reason NOT IN ('', 'start_position');

CREATE VIEW IF NOT EXISTS source_starts AS
SELECT lane, topic, partition, offset + 1 AS first_offset, booking_date
FROM journal
WHERE kind = 'batch' AND gap_reason = 'start_position';

ALTER TABLE journal
    COMMENT COLUMN gap_reason 'why the batch has no records: records_lost, topic_recreated or start_position; empty for every other batch';

ALTER TABLE source_gaps
    MODIFY COMMENT 'offsets that a source lost before they were booked, accepted by an operator',
    COMMENT COLUMN lane 'what shares counters and a chain of batches',
    COMMENT COLUMN lane_sequence 'number of the batch that books the loss',
    COMMENT COLUMN topic 'Kafka topic',
    COMMENT COLUMN partition 'Kafka partition',
    COMMENT COLUMN reason 'records_lost or topic_recreated',
    COMMENT COLUMN first_lost_offset 'first offset that is lost',
    COMMENT COLUMN last_lost_offset 'last offset that is lost',
    COMMENT COLUMN offsets_lost 'how many',
    COMMENT COLUMN booking_date 'day on which the loss was accepted';

ALTER TABLE source_starts
    MODIFY COMMENT 'where the engine began in a partition that nothing was booked of, as source.kafka.startFrom says',
    COMMENT COLUMN lane 'what shares counters and a chain of batches',
    COMMENT COLUMN topic 'Kafka topic',
    COMMENT COLUMN partition 'Kafka partition',
    COMMENT COLUMN first_offset 'the first offset that is read; those before it are not charged',
    COMMENT COLUMN booking_date 'day of the first start';
