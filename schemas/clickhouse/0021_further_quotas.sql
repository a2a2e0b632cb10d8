-- Windows of plans, and quotas over several plans, have counters of their own. A batch keeps those that its charged records count in,
-- each once, with its state after the last of them: a recovery reads them back as it reads the plans' counters from the charge rows.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS further_quotas Array(Tuple(subscriber FixedString(16), quota_id LowCardinality(String), quota_version UInt32, period_start Date, used_octets_after UInt64, offset Int64))
        COMMENT 'batch rows: counters of further quotas that the batch''s charged records count in, with their state after the batch' AFTER leakage;

CREATE VIEW IF NOT EXISTS further_quota_counters AS
SELECT
    booking_date, lane, topic, partition, lane_sequence, moved.offset AS offset, moved.subscriber AS subscriber,
    moved.quota_id AS quota_id, moved.quota_version AS quota_version, moved.period_start AS period_start,
    moved.used_octets_after AS used_octets_after
FROM journal
ARRAY JOIN further_quotas AS moved
WHERE kind = 'batch';

ALTER TABLE further_quota_counters
    MODIFY COMMENT 'counters of windows of plans and of quotas over several plans: each state that a batch left one in; the greatest one is the current',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN lane 'what shares counters and a chain of batches',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN lane_sequence 'number of the batch in its lane',
    COMMENT COLUMN offset 'the last record of the batch that counts in it',
    COMMENT COLUMN subscriber 'keyed pseudonym (128 bits)',
    COMMENT COLUMN quota_id 'plan:period of a window, or the id of a quota over several plans',
    COMMENT COLUMN quota_version 'version in force at that record''s start',
    COMMENT COLUMN period_start 'first day of the period that it counts in',
    COMMENT COLUMN used_octets_after 'sponsored octets in the period, up to and with that record';
