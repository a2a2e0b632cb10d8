-- Every catalogue that a batch was rated with, under its hash.
CREATE TABLE IF NOT EXISTS catalogues
(
    hash String COMMENT 'SHA-256 of the document',
    document String COMMENT 'canonical JSON',
    first_used_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY hash
SETTINGS fsync_after_insert = 1, old_parts_lifetime = 480;

-- Numbered facts: a batch names the last one it was rated with, so that a replay decides the same.
CREATE TABLE IF NOT EXISTS suspensions
(
    number UInt64 COMMENT 'consecutive from 1',
    sponsor_id LowCardinality(String),
    suspended Bool COMMENT 'false: resumed',
    why String,
    recorded_by String,
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;

-- What moves a sponsor's account besides charges. Credits are positive.
CREATE TABLE IF NOT EXISTS account_entries
(
    idempotency_key String,
    sponsor_id LowCardinality(String),
    currency LowCardinality(String) COMMENT 'ISO 4217',
    kind LowCardinality(String) COMMENT 'top-up, payment, adjustment, rebate',
    amount_micros Int64 COMMENT 'millionths of a currency unit',
    effective_at DateTime64(3, 'UTC'),
    booked_at DateTime64(3, 'UTC') DEFAULT now64(3),
    who String,
    why String
)
ENGINE = MergeTree
ORDER BY (sponsor_id, effective_at)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;
