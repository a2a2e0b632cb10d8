-- A closed month keeps the decimals of its currency that applied, whatever a later table of currencies says.
ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS minor_digits Int8 DEFAULT -1
        COMMENT 'decimals of the currency when the month was closed; -1: closed before they were kept, those of ISO 4217 apply';
