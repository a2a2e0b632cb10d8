-- Quota updates may wait for some batches (quotaUpdates.minIntervalMs). A batch says through which batch of its lane they had been
-- published when it was booked: after a crash the updates of all later ones are derived from the charges and published.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS published_through Int64 DEFAULT -1
        COMMENT 'batch rows: the quota updates of the lane''s batches up to this number had been published when the batch was booked; -1: not recorded, all but those of the batch before' AFTER leakage_rows;
