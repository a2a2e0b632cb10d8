-- A period that was not over when its month was closed stays open. Closings of before this column closed all of them.
ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS periods_ended_by DateTime64(3, 'UTC') DEFAULT toDateTime64('2299-12-31 00:00:00', 3, 'UTC')
        COMMENT 'periods of the month that were not over at this instant, in their plan''s time zone, stayed open; 2299-12-31: none did' AFTER closed_at;
