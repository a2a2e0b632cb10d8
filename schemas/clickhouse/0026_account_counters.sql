-- A quota over several plans may count by account: the counters are then of accounts, whose pseudonyms are in the place of subscribers'.
ALTER TABLE further_quota_counters
    COMMENT COLUMN subscriber 'keyed pseudonym (128 bits); of the account where quota_id ends with :account, unless its records have none',
    COMMENT COLUMN quota_id 'plan:period of a window, the id of a quota over several plans, or id:account of one that counts by account';

ALTER TABLE batches
    COMMENT COLUMN key_mismatches 'records whose Kafka key is neither their MSISDN nor their account';

ALTER TABLE journal
    COMMENT COLUMN key_mismatches 'records whose Kafka key is neither their MSISDN nor their account';
