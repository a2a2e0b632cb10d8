-- Rejected records that were mended and handed in again. A recycling is one block, booked by compare-and-swap on the number
-- before, and says which rejections it is of; a rejection stands in one recycling only. Its records are then booked as the
-- engine books any other, in the lane of the rejection, as the log `recycled/NUMBER/TOPIC` with the rejection's partition
-- and offset: so a booked record's place says which rejection it was.
CREATE TABLE IF NOT EXISTS recyclings
(
    number UInt64 COMMENT 'consecutive from 1: a recycling is booked by compare-and-swap on the one before',
    topic LowCardinality(String) COMMENT 'the rejection''s log and place, as in the journal',
    partition Int32 COMMENT 'the rejection''s partition',
    offset Int64 COMMENT 'the rejection''s offset',
    claimed_at DateTime64(3, 'UTC') COMMENT 'when the recycling was booked; its records are booked after that',
    who String COMMENT 'who handed the mended records in',
    why String COMMENT 'reason in words',
    records_digest String COMMENT 'SHA-256 over all mended records of the recycling: it goes on with these only'
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;

CREATE VIEW IF NOT EXISTS recycled AS
SELECT
    number, topic, partition, offset, recycled_topic,
    -- One more than the last offset: a log without a batch has none.
    booked.end > recyclings.offset AS is_booked,
    claimed_at, who, why
FROM (SELECT *, 'recycled/' || toString(number) || '/' || topic AS recycled_topic FROM recyclings) AS recyclings
LEFT JOIN
(
    SELECT topic AS recycled_topic, partition, max(offset) + 1 AS end
    FROM journal
    WHERE kind = 'batch' AND startsWith(topic, 'recycled/')
    GROUP BY topic, partition
) AS booked ON booked.recycled_topic = recyclings.recycled_topic AND booked.partition = recyclings.partition;

-- Rejected records that nobody has mended yet. A mended record that was rejected again stands here in its own right.
CREATE VIEW IF NOT EXISTS suspense AS
SELECT reason, detail, payload, topic, partition, offset, booking_date, lane
FROM journal
WHERE kind = 'rejection' AND (topic, partition, offset) NOT IN (SELECT topic, partition, offset FROM recycled WHERE is_booked);
