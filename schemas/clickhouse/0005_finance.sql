-- A month of a sponsor that finance has closed. It covers all rows up to its cursors whose statistics period began in the
-- month or before, and that no earlier closing covers: those of earlier months are adjustments. Months are closed in order.
CREATE TABLE IF NOT EXISTS closings
(
    number UInt64 COMMENT 'consecutive from 1: a closing is booked by compare-and-swap on the one before',
    sponsor_id LowCardinality(String) COMMENT 'whose month',
    sponsor_name String COMMENT 'as the newest catalogue had it when the month was closed',
    month Date COMMENT 'first day of the month; a statistics period belongs to the month that it begins in',
    closed_at DateTime64(3, 'UTC') COMMENT 'when it was closed',
    who String COMMENT 'who closed it',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    cursors Array(Tuple(topic String, partition Int32, offset Int64)) COMMENT 'last offset covered of each log',
    last_correction UInt64 COMMENT 'number of the last correction covered; 0: none',
    last_entry UInt64 COMMENT 'number of the last account entry covered; 0: none',
    records UInt64 COMMENT 'charge rows covered, adjustments included',
    sponsored_octets Int64 COMMENT 'octets that the sponsor pays for, adjustments included',
    charge_micros Int64 COMMENT 'charges of the month itself, millionths of a currency unit',
    adjustment_micros Int64 COMMENT 'charges of earlier months that came after their closing, and corrections of those',
    credit_micros Int64 COMMENT 'account entries, credits positive',
    opening_micros Int64 COMMENT 'balance before',
    closing_micros Int64 COMMENT 'balance after: opening + credits - charges - adjustments',
    merkle_root String COMMENT 'over the charge rows covered, 64 hex digits',
    completeness String COMMENT 'JSON: what was known to be missing, rejected or late when the month was closed'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;

-- Charges that were rated anew: each corrected record is reversed as it stood and charged as the other catalogue says. A
-- correction is one block. Its head row has its name, who and why, when, catalogue and range; the others have where they belong
-- and what changes. Amounts are signed: a reversal's are below 0.
CREATE TABLE IF NOT EXISTS corrections
(
    kind Enum8('head' = 1, 'reversal' = 2, 'charge' = 3) COMMENT 'what this row is',
    number UInt64 COMMENT 'consecutive from 1: a correction is booked by compare-and-swap on the one before',
    correction String COMMENT 'name of the correction',
    booking_date Date COMMENT 'day on which it was booked',
    booked_at DateTime64(3, 'UTC') COMMENT 'when it was booked',
    who String COMMENT 'who booked it',
    why String COMMENT 'reason in words',
    catalogue_hash LowCardinality(String) COMMENT 'the catalogue that the charges were rated with',
    period_from Date COMMENT 'head: statistics periods that begin on this day or later were rated anew',
    period_to Date COMMENT 'head: and before this one',
    digest String COMMENT 'head: SHA-256 over the correction''s rows',
    is_adjustment Bool COMMENT 'the period''s month was closed when the correction was booked',
    topic LowCardinality(String) COMMENT 'the corrected record''s log and place, as in the journal',
    partition Int32 COMMENT 'the corrected record''s partition',
    offset Int64 COMMENT 'the corrected record''s offset',
    sponsor_id LowCardinality(String) COMMENT 'who pays',
    application_id LowCardinality(String) COMMENT 'the sponsor''s application that the traffic was of',
    plan_id LowCardinality(String) COMMENT 'the sponsorship plan that rated it',
    plan_version UInt32 COMMENT 'version of the plan',
    period_start Date COMMENT 'first day of the statistics period in the plan''s time zone',
    subscriber FixedString(16) COMMENT 'keyed pseudonym (128 bits)',
    evidence Enum8('none' = 0, 'tag' = 1, 'ip' = 2, 'tag+ip' = 3, 'cdr' = 4, 'tag+cdr' = 5, 'cdr+ip' = 6, 'tag+cdr+ip' = 7)
        COMMENT 'what named the application: the zero-rating tag, the identities of the CDR, the proxy''s address, or several',
    content_type Enum8('text' = 0, 'voice' = 1, 'image' = 2, 'video' = 3, 'other' = 4, 'unknown' = 5)
        COMMENT 'as the record names it; unknown when it names none',
    start_time DateTime64(3, 'UTC') COMMENT 'the record''s startTime, UTC',
    reason LowCardinality(String) COMMENT 'the one reason for the outcome',
    sponsored_octets Int64 COMMENT 'the sponsor pays for these; a reversal''s are below 0',
    subscriber_octets Int64 COMMENT 'the subscriber pays for these; a reversal''s are below 0',
    charge_micros Int64 COMMENT 'millionths of a currency unit',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    used_octets_after UInt64 COMMENT 'the counter after this record, as the correction counts',
    carry_after UInt16 COMMENT 'the counter after this record: ten-thousandths of an octet left over by the share'
)
ENGINE = MergeTree
ORDER BY (number, kind, topic, partition, offset)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000, old_parts_lifetime = 480;

-- All that moves a sponsor's account by usage: charges as they were booked, and what corrections took back and charged anew.
CREATE VIEW IF NOT EXISTS bookings AS
SELECT
    'charge' AS origin, toUInt64(0) AS correction_number, booking_date, toStartOfMonth(period_start) AS month, period_start,
    sponsor_id, application_id, plan_id, plan_version, subscriber, evidence, content_type, start_time, reason,
    toInt64(sponsored_octets) AS sponsored_octets,
    toInt64(uplink_octets + downlink_octets) - toInt64(sponsored_octets) AS subscriber_octets,
    charge_micros, currency, used_octets_after, topic, partition, offset
FROM journal
WHERE kind = 'charge'
UNION ALL
SELECT
    if(kind = 'reversal', 'reversal', 'recharge') AS origin, number AS correction_number, booking_date,
    toStartOfMonth(period_start) AS month, period_start,
    sponsor_id, application_id, plan_id, plan_version, subscriber, evidence, content_type, start_time, reason,
    sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after, topic, partition, offset
FROM corrections
WHERE kind != 'head';

-- The same, summed by all that a bill is cut by. It reads the journal's projection `usage_totals`, not its rows: ask here
-- for sums, and `bookings` for single records.
CREATE VIEW IF NOT EXISTS booking_totals AS
SELECT
    'charge' AS origin, booking_date, toStartOfMonth(period_start) AS month, period_start,
    sponsor_id, application_id, plan_id, plan_version, evidence, content_type, reason, currency,
    toInt64(count()) AS records,
    toInt64(sum(sponsored_octets)) AS sponsored_octets,
    toInt64(sum(uplink_octets) + sum(downlink_octets)) - sponsored_octets AS subscriber_octets,
    sum(charge_micros) AS charge_micros
FROM journal
WHERE kind = 'charge'
GROUP BY
    booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, evidence, content_type, reason, currency
UNION ALL
SELECT
    if(kind = 'reversal', 'reversal', 'recharge') AS origin, booking_date, toStartOfMonth(period_start) AS month, period_start,
    sponsor_id, application_id, plan_id, plan_version, evidence, content_type, reason, currency,
    toInt64(sum(if(kind = 'reversal', -1, 1))) AS records,
    sum(sponsored_octets) AS sponsored_octets,
    sum(subscriber_octets) AS subscriber_octets,
    sum(charge_micros) AS charge_micros
FROM corrections
WHERE kind != 'head'
GROUP BY
    kind, booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, evidence, content_type, reason, currency;

CREATE OR REPLACE VIEW account_balances AS
SELECT
    sponsor_id, currency,
    sum(credited) AS credited_micros,
    sum(charged) AS charged_micros,
    credited_micros - charged_micros AS balance_micros
FROM
(
    SELECT sponsor_id, currency, amount_micros AS credited, toInt64(0) AS charged FROM account_entries
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, sum(charge_micros) AS charged
    FROM journal WHERE kind = 'charge' GROUP BY sponsor_id, currency
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, charge_micros AS charged FROM corrections WHERE kind != 'head'
)
GROUP BY sponsor_id, currency;
