-- A correction has rows of what it changes alone. How far the journal had come when it was computed says which other records it left
-- as they were, so that an audit can compute all of it a second time.
ALTER TABLE corrections
    ADD COLUMN IF NOT EXISTS read_through Array(Tuple(lane String, lane_sequence UInt64))
        COMMENT 'head: the last batch of each lane when the charges were read; empty: of an earlier version, or of a reversed recycling' AFTER read_logs;
