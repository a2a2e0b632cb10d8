-- What finance books has a digest over its rows that the store can compute again, so that an audit finds what was changed since.
-- Facts of before have none. The digest of earlier corrections, 64 hex digits, followed from the order in which their rows were
-- written, which no table keeps.
ALTER TABLE account_entries
    ADD COLUMN IF NOT EXISTS digest String DEFAULT 'not recorded'
        COMMENT 'SHA-256 over the row, a space, and the columns that it is over; not recorded: posted by a version without digests';

ALTER TABLE campaign_facts
    ADD COLUMN IF NOT EXISTS digest String DEFAULT 'not recorded'
        COMMENT 'on one row of a fact: sum of the SHA-256 of its rows, a space, and the columns that it is over; not recorded: booked by a version without digests';

ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS digest String DEFAULT 'not recorded'
        COMMENT 'SHA-256 over the row, a space, and the columns that it is over; not recorded: posted by a version without digests';

ALTER TABLE recyclings
    ADD COLUMN IF NOT EXISTS digest String DEFAULT 'not recorded'
        COMMENT 'on one row of a recycling: sum of the SHA-256 of its rows, a space, and the columns that it is over; not recorded: posted by a version without digests';

ALTER TABLE pseudonym_keys
    ADD COLUMN IF NOT EXISTS digest String DEFAULT 'not recorded'
        COMMENT 'SHA-256 over the row, a space, and the columns that it is over; not recorded: posted by a version without digests';

ALTER TABLE corrections
    COMMENT COLUMN digest 'head: sum of the SHA-256 of the correction''s rows, a space, and the columns that it is over; 64 digits alone: of an earlier version';
