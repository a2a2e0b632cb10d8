-- The day of use of a charge is the local day of its start time in its plan's time zone. A sum by day in every zone is made
-- of sums by quarter of an hour (UTC): since 2012 every zone's days begin on one. Each part keeps those of its own rows,
-- like `usage_totals`.
ALTER TABLE journal
    ADD PROJECTION IF NOT EXISTS usage_by_quarter_hour
    (
        SELECT
            kind, sponsor_id, period_start, booking_date, application_id, plan_id, plan_version, currency,
            reason, intDiv(toUnixTimestamp64Milli(start_time), 900000),
            count(), sum(uplink_octets), sum(downlink_octets), sum(sponsored_octets), sum(charge_micros)
        GROUP BY
            kind, sponsor_id, period_start, booking_date, application_id, plan_id, plan_version, currency,
            reason, intDiv(toUnixTimestamp64Milli(start_time), 900000)
    );

-- Parts that were written before have it once this has run in the background; until then their rows are read.
ALTER TABLE journal MATERIALIZE PROJECTION usage_by_quarter_hour;

-- What a query of the days needs of a catalogue, read once: the document may be long.
ALTER TABLE catalogues
    ADD COLUMN IF NOT EXISTS plan_time_zones Array(Tuple(id String, version UInt32, timeZone String))
        MATERIALIZED JSONExtract(document, 'plans', 'Array(Tuple(id String, version UInt32, timeZone String))')
        COMMENT 'the time zones of the document''s plans';

-- All versions of a plan have one time zone, or the counters would be torn. Should two catalogues differ in it all the same, the
-- first that was used stays the one: a day that was shown once does not move.
CREATE VIEW IF NOT EXISTS plan_time_zones AS
SELECT plan.id AS plan_id, plan.version AS plan_version, argMin(plan.timeZone, (first_used_at, hash)) AS time_zone
FROM (SELECT first_used_at, hash, plan_time_zones FROM catalogues)
ARRAY JOIN plan_time_zones AS plan
GROUP BY plan_id, plan_version;

-- Of the functions that know time zones only toString takes another one for each row.
-- Usage and revenue by day of use, corrections included: a reversal is of the day of the charge that it takes back.
CREATE VIEW IF NOT EXISTS usage_by_day AS
WITH
    (SELECT groupArray(concat(toString(plan_version), '/', plan_id)) FROM (SELECT * FROM plan_time_zones ORDER BY plan_id, plan_version)) AS plans,
    (SELECT groupArray(time_zone) FROM (SELECT * FROM plan_time_zones ORDER BY plan_id, plan_version)) AS zones
SELECT
    sponsor_id, application_id, plan_id, plan_version,
    transform(concat(toString(plan_version), '/', plan_id), plans, zones, 'UTC') AS time_zone,
    toDate(toString(toDateTime64(quarter * 900, 0, 'UTC'), time_zone)) AS day_of_use,
    month, booking_date, origin, reason, currency, records, sponsored_octets, subscriber_octets, charge_micros
FROM
(
    SELECT
        'charge' AS origin, booking_date, toStartOfMonth(period_start) AS month,
        sponsor_id, application_id, plan_id, plan_version, reason, currency,
        intDiv(toUnixTimestamp64Milli(start_time), 900000) AS quarter,
        toInt64(count()) AS records,
        toInt64(sum(sponsored_octets)) AS sponsored_octets,
        toInt64(sum(uplink_octets) + sum(downlink_octets)) - sponsored_octets AS subscriber_octets,
        sum(charge_micros) AS charge_micros
    FROM journal
    WHERE kind = 'charge'
    GROUP BY
        booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, reason, currency, quarter
    UNION ALL
    SELECT
        if(kind = 'reversal', 'reversal', 'recharge') AS origin, booking_date, toStartOfMonth(period_start) AS month,
        sponsor_id, application_id, plan_id, plan_version, reason, currency,
        intDiv(toUnixTimestamp64Milli(start_time), 900000) AS quarter,
        toInt64(sum(if(kind = 'reversal', -1, 1))) AS records,
        sum(sponsored_octets) AS sponsored_octets,
        sum(subscriber_octets) AS subscriber_octets,
        sum(charge_micros) AS charge_micros
    FROM corrections
    WHERE kind != 'head'
    GROUP BY
        kind, booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, reason, currency, quarter
);

ALTER TABLE plan_time_zones
    MODIFY COMMENT 'time zones of all plans that the kept catalogues have',
    COMMENT COLUMN plan_id 'the sponsorship plan',
    COMMENT COLUMN plan_version 'version of the plan',
    COMMENT COLUMN time_zone 'IANA name, as the first catalogue with this version has it';

ALTER TABLE usage_by_day
    MODIFY COMMENT 'usage and revenue by day of use beside day of booking, corrections included; reads the journal''s projection, not its rows',
    COMMENT COLUMN sponsor_id 'who pays',
    COMMENT COLUMN application_id 'the sponsor''s application that the traffic was of',
    COMMENT COLUMN plan_id 'the sponsorship plan that rated it',
    COMMENT COLUMN plan_version 'version of the plan',
    COMMENT COLUMN time_zone 'the plan''s time zone; UTC where no kept catalogue has the plan',
    COMMENT COLUMN day_of_use 'day of the records'' startTime in the plan''s time zone',
    COMMENT COLUMN month 'first day of the month that the statistics period begins in: the statement it belongs to',
    COMMENT COLUMN booking_date 'day on which it was booked',
    COMMENT COLUMN origin 'charge, reversal or recharge',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN records 'charges and recharges, less reversals',
    COMMENT COLUMN sponsored_octets 'the sponsor pays for these',
    COMMENT COLUMN subscriber_octets 'the subscriber pays for these',
    COMMENT COLUMN charge_micros 'millionths of a currency unit';
