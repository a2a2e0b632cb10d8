-- Comments that analysts read, in the words of the field.
ALTER TABLE corrections
    MODIFY COMMENT 'charges that were rated again: reversals and new charges, linked by a head row',
    COMMENT COLUMN period_from 'head: statistics periods that begin on this day or later were rated again';

ALTER TABLE recyclings
    MODIFY COMMENT 'rejected records that were corrected and resubmitted',
    COMMENT COLUMN who 'who resubmitted the corrected records',
    COMMENT COLUMN records_digest 'SHA-256 over all corrected records of the recycling: it can be resumed with these only';

ALTER TABLE recycled
    COMMENT COLUMN is_booked '1: booked; 0: the recycling was interrupted, the same command resumes it',
    COMMENT COLUMN who 'who resubmitted the corrected records';

ALTER TABLE pseudonym_keys
    COMMENT COLUMN fingerprint 'distinguishes states of the key, 32 hex digits; the key cannot be derived from it',
    COMMENT COLUMN booked_at 'when the state was registered in this store';
