-- What a closing posts of a month's terms: flat fees, volume rebates, and shortfalls to minimum commitments. A closing of before
-- posted none of them.
ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS flat_fee_micros Int64 DEFAULT 0 COMMENT 'flat fees of the month, posted to the account by this row' AFTER rounding_micros,
    ADD COLUMN IF NOT EXISTS volume_rebate_micros Int64 DEFAULT 0 COMMENT 'volume rebates of the month, posted to the account by this row; above 0: a deduction' AFTER flat_fee_micros,
    ADD COLUMN IF NOT EXISTS shortfall_micros Int64 DEFAULT 0 COMMENT 'shortfalls to minimum commitments of the month, posted to the account by this row' AFTER volume_rebate_micros,
    ADD COLUMN IF NOT EXISTS monthly_terms String DEFAULT '' COMMENT 'JSON: the terms as they were when the month was closed, and what they billed; empty: none were in force' AFTER shortfall_micros;

CREATE OR REPLACE VIEW account_postings AS
SELECT number, idempotency_key, sponsor_id, currency, toString(kind) AS kind, amount_micros, effective_at, booked_at, who, why
FROM account_entries
UNION ALL
SELECT
    number, concat('closing ', toString(number), ' ', posted.1) AS idempotency_key, sponsor_id, currency, posted.1 AS kind,
    posted.2 AS amount_micros, toDateTime64(month + INTERVAL 1 MONTH, 3, 'UTC') - INTERVAL 1 MILLISECOND AS effective_at,
    closed_at AS booked_at, who,
    concat(if(invoice_number = '', 'statement', concat('invoice ', invoice_number, ',')), ' ', formatDateTime(month, '%Y-%m')) AS why
FROM closings
ARRAY JOIN
    [
        ('flat-fee', -flat_fee_micros), ('volume-rebate', volume_rebate_micros), ('shortfall', -shortfall_micros),
        ('rounding', rounding_micros), ('tax', -tax_micros)
    ]::Array(Tuple(String, Int64)) AS posted
WHERE posted.2 != 0;

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
    SELECT
        sponsor_id, currency, toInt64(0) AS credited,
        flat_fee_micros + shortfall_micros - volume_rebate_micros + tax_micros - rounding_micros AS charged
    FROM closings
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, sum(charge_micros) AS charged
    FROM journal WHERE kind = 'charge' GROUP BY sponsor_id, currency
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, charge_micros AS charged FROM corrections WHERE kind != 'head'
)
GROUP BY sponsor_id, currency;

-- A view that is replaced loses its comments.
ALTER TABLE account_balances
    MODIFY COMMENT 'a sponsor''s account: entries and what closings post, less charges and corrections',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN credited_micros 'sum of the account entries, millionths of a currency unit',
    COMMENT COLUMN charged_micros 'sum of charges and corrections, and of what closings post: fees, shortfalls, rebates, tax and rounding; millionths of a currency unit',
    COMMENT COLUMN balance_micros 'credited less charged; below 0: the sponsor owes it';

ALTER TABLE account_postings
    MODIFY COMMENT 'what moves a sponsor''s account besides charges and corrections: account entries, and what closings post',
    COMMENT COLUMN number 'number of the account entry, or of the closing',
    COMMENT COLUMN idempotency_key 'of the account entry; of a closing: its number and what it posts',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN kind 'kind of the account entry, or what a closing posts: flat-fee, volume-rebate, shortfall, rounding or tax',
    COMMENT COLUMN amount_micros 'millionths of a currency unit; credits are positive',
    COMMENT COLUMN effective_at 'from when it counts; of a closing: the end of its month',
    COMMENT COLUMN booked_at 'when it was booked',
    COMMENT COLUMN who 'who booked it',
    COMMENT COLUMN why 'reason in words';

ALTER TABLE closings
    COMMENT COLUMN taxable_micros 'charges, adjustments, fees and shortfalls less rebates, rounded to the currency''s unit: what tax is charged on';
