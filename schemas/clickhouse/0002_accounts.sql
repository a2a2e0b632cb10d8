-- Every catalogue that a batch was rated with, under its hash.
CREATE TABLE IF NOT EXISTS catalogues
(
    hash String COMMENT 'SHA-256 of the document',
    document String COMMENT 'canonical JSON',
    first_used_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when the first engine that used it started'
)
ENGINE = ReplacingMergeTree
ORDER BY hash
SETTINGS fsync_after_insert = 1, old_parts_lifetime = 480;

-- What moves a sponsor's account besides charges. Credits are positive. Suspensions and resumptions are entries of 0: facts
-- that batches name by their number, so that a replay decides the same.
CREATE TABLE IF NOT EXISTS account_entries
(
    number UInt64 COMMENT 'consecutive from 1: an entry is booked by compare-and-swap on the one before',
    idempotency_key String COMMENT 'booked once; the same key with another content is refused',
    sponsor_id LowCardinality(String) COMMENT 'whose account',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    kind Enum8('top-up' = 1, 'payment' = 2, 'adjustment' = 3, 'rebate' = 4, 'suspension' = 5, 'resumption' = 6) COMMENT 'what it is',
    amount_micros Int64 COMMENT 'millionths of a currency unit; credits are positive, suspensions and resumptions 0',
    effective_at DateTime64(3, 'UTC') COMMENT 'from when it counts; its month is the statement that shows it',
    booked_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was booked',
    who String COMMENT 'who booked it',
    why String COMMENT 'reason in words'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;

CREATE VIEW IF NOT EXISTS suspensions AS
SELECT number, sponsor_id, kind = 'suspension' AS suspended, why, who AS recorded_by, booked_at AS recorded_at
FROM account_entries
WHERE kind IN ('suspension', 'resumption');
