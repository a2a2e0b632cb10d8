-- A period that was not over when its month was closed stays open. Closings of before this column closed all of them.
ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS periods_ended_by DateTime64(3, 'UTC') DEFAULT toDateTime64('2299-12-31 00:00:00', 3, 'UTC')
        COMMENT 'periods of the month that were not over at this instant, in their plan''s time zone, stayed open; 2299-12-31: none did' AFTER closed_at;

-- A recycling whose corrected records were wrong is taken back by a correction: reversals without charges.
ALTER TABLE corrections
    ADD COLUMN IF NOT EXISTS recycling UInt64
        COMMENT 'head: number of the recycling whose charges this correction takes back; 0: charges were rated again' AFTER catalogue_hash;

CREATE OR REPLACE VIEW recycled AS
SELECT
    number, topic, partition, offset, recycled_topic,
    -- One more than the last offset: a log without a batch has none.
    booked.end > recyclings.offset AS is_booked,
    number IN (SELECT recycling FROM corrections WHERE kind = 'head' AND recycling > 0) AS is_reversed,
    claimed_at, who, why
FROM (SELECT *, 'recycled/' || toString(number) || '/' || topic AS recycled_topic FROM recyclings) AS recyclings
LEFT JOIN
(
    SELECT topic AS recycled_topic, partition, max(offset) + 1 AS end
    FROM journal
    WHERE kind = 'batch' AND startsWith(topic, 'recycled/')
    GROUP BY topic, partition
) AS booked ON booked.recycled_topic = recyclings.recycled_topic AND booked.partition = recyclings.partition;

ALTER TABLE recycled
    MODIFY COMMENT 'what became of the recyclings',
    COMMENT COLUMN number 'number of the recycling',
    COMMENT COLUMN topic 'the rejection''s log',
    COMMENT COLUMN partition 'the rejection''s partition, and the corrected record''s',
    COMMENT COLUMN offset 'the rejection''s offset, and the corrected record''s',
    COMMENT COLUMN recycled_topic 'the log under which the corrected record is booked',
    COMMENT COLUMN is_booked '1: booked; 0: the recycling was cut short, the same command goes on with it',
    COMMENT COLUMN is_reversed '1: a correction has taken the recycling back, and the rejection can be recycled again',
    COMMENT COLUMN claimed_at 'when the recycling was booked',
    COMMENT COLUMN who 'who handed the corrected records in',
    COMMENT COLUMN why 'reason in words';

-- A corrected record that was rejected again is a row of its own here.
CREATE OR REPLACE VIEW suspense AS
SELECT reason, detail, payload, topic, partition, offset, booking_date, lane
FROM journal
WHERE kind = 'rejection'
    AND (topic, partition, offset) NOT IN (SELECT topic, partition, offset FROM recycled WHERE is_booked AND NOT is_reversed)
    AND topic NOT IN (SELECT recycled_topic FROM recycled WHERE is_reversed);

ALTER TABLE suspense
    MODIFY COMMENT 'rejected records that were not corrected and recycled yet',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN detail 'what was wrong',
    COMMENT COLUMN payload 'the record, capped, identities replaced by pseudonyms',
    COMMENT COLUMN topic 'Kafka topic, name of the file, or the log of a recycling',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s place in its log',
    COMMENT COLUMN booking_date 'day on which the rejection was booked',
    COMMENT COLUMN lane 'what shares counters with it: a corrected record is booked there';
