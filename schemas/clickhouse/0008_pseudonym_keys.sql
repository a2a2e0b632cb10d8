-- What became of the key of the subscribers' pseudonyms, as far as this store was told: the state that the store was begun
-- with, and each erasure of a subscriber. It says nothing of whom. An engine whose key is not in the last state is refused.
CREATE TABLE IF NOT EXISTS pseudonym_keys
(
    number UInt64 COMMENT 'consecutive from 1: 1 is the key that the store was begun with, each later one an erasure',
    fingerprint String COMMENT 'tells the key''s state from any other, 32 hex digits; nothing follows from it',
    effective_at DateTime64(3, 'UTC') COMMENT 'when the key file was rewritten; of the first state: when it was booked',
    booked_at DateTime64(3, 'UTC') COMMENT 'when this store was told',
    who String COMMENT 'who erased; empty for the first state',
    why String COMMENT 'reason in words; empty for the first state'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480
COMMENT 'states of the key of the subscribers'' pseudonyms: its beginning and each erasure';
