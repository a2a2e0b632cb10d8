-- What was decided about campaigns, the plans that have facts of their own: paused and resumed, paid ahead or not, caps and thresholds
-- that were reached, and who opted in and out. Batches name the last of these facts by its number, so that a replay decides the same.
CREATE TABLE IF NOT EXISTS campaign_facts
(
    number UInt64 COMMENT 'consecutive from 1: a fact is booked by compare-and-swap on the one before; rows of one audience change share it',
    idempotency_key LowCardinality(String) COMMENT 'booked once; the same key with another content is refused',
    campaign_id LowCardinality(String) COMMENT 'the plan that is the campaign',
    kind Enum8('pause' = 1, 'resume' = 2, 'funded' = 3, 'unfunded' = 4, 'threshold_reached' = 5, 'cap_reached' = 6, 'opt_in' = 7, 'opt_out' = 8)
        COMMENT 'what was decided; funded and unfunded: the balance of a prepaid campaign''s sponsor came above 0, or is not above it any more',
    subscriber FixedString(16) COMMENT 'opt_in and opt_out: keyed pseudonym (128 bits); zeros otherwise',
    cap_per Enum8('none' = 0, 'day' = 1, 'period' = 2, 'whole' = 3) COMMENT 'threshold_reached and cap_reached: the window of the cap',
    cap_unit Enum8('none' = 0, 'octets' = 1, 'money' = 2) COMMENT 'threshold_reached and cap_reached: what the cap counts',
    cap_limit UInt64 COMMENT 'threshold_reached and cap_reached: the cap, octets or millionths of a currency unit',
    window_start Date COMMENT 'threshold_reached and cap_reached: first day of the window in the plan''s time zone; 1970-01-01 for the whole campaign',
    basis_points UInt16 COMMENT 'threshold_reached: the share of the cap, in ten-thousandths',
    used Int64 COMMENT 'threshold_reached and cap_reached: octets or millionths that were charged in the window at that look',
    booked_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was booked',
    who LowCardinality(String) COMMENT 'who booked it',
    why LowCardinality(String) COMMENT 'reason in words'
)
ENGINE = MergeTree
ORDER BY (number, subscriber)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480
COMMENT 'facts about campaigns that batches name by their number: pauses, funds, caps and thresholds reached, opt-ins and opt-outs';

ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS campaign_number UInt64
        COMMENT 'the last campaign fact that the batch was rated with; 0: none, or a catalogue without campaigns' AFTER published_through;
