-- What a closing asks for: its amount due, the tax in it, and the rounding that makes the account a whole number of the
-- currency's units. Closings of before have none of it: their amount due is NULL, and their rounding and tax are 0.
ALTER TABLE closings
    ADD COLUMN IF NOT EXISTS amount_due_micros Nullable(Int64) COMMENT 'what the sponsor is asked to pay, tax included; NULL: closed by a version that posted no rounding',
    ADD COLUMN IF NOT EXISTS taxable_micros Int64 DEFAULT 0 COMMENT 'charges and adjustments, rounded to the currency''s unit: what tax is charged on',
    ADD COLUMN IF NOT EXISTS tax_micros Int64 DEFAULT 0 COMMENT 'tax, posted to the account by this row',
    ADD COLUMN IF NOT EXISTS rounding_micros Int64 DEFAULT 0 COMMENT 'rounding, posted to the account by this row; credits are positive',
    ADD COLUMN IF NOT EXISTS invoice_number String DEFAULT '' COMMENT 'number of the invoice; empty: the statement is none',
    ADD COLUMN IF NOT EXISTS invoice_series String DEFAULT '' COMMENT 'form of the number, its year filled in: what counts without a gap',
    ADD COLUMN IF NOT EXISTS invoice_sequence UInt64 DEFAULT 0 COMMENT 'place in the series',
    ADD COLUMN IF NOT EXISTS invoice String DEFAULT '' COMMENT 'JSON: seller, buyer, tax, dates and terms as they were when the month was closed';

-- All that moves a sponsor's account besides charges and corrections: account entries, and what closings post. One row is
-- one insert, so a closing and what it posts are there together or not at all.
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
ARRAY JOIN [('rounding', rounding_micros), ('tax', -tax_micros)]::Array(Tuple(String, Int64)) AS posted
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
    SELECT sponsor_id, currency, toInt64(0) AS credited, tax_micros - rounding_micros AS charged FROM closings
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, sum(charge_micros) AS charged
    FROM journal WHERE kind = 'charge' GROUP BY sponsor_id, currency
    UNION ALL
    SELECT sponsor_id, currency, toInt64(0) AS credited, charge_micros AS charged FROM corrections WHERE kind != 'head'
)
GROUP BY sponsor_id, currency;

-- Invoices, by the number that a payment names.
CREATE OR REPLACE VIEW invoices AS
SELECT
    invoice_number, sponsor_id, month, currency,
    toDate(JSONExtractString(invoice, 'issueDate')) AS issue_date,
    toDate(JSONExtractString(invoice, 'dueDate')) AS due_date,
    taxable_micros, tax_micros, assumeNotNull(amount_due_micros) AS amount_due_micros,
    number AS closing_number
FROM closings
WHERE invoice_number != '';

-- A view that is replaced loses its comments.
ALTER TABLE account_balances
    MODIFY COMMENT 'a sponsor''s account: entries and what closings post, less charges and corrections',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN credited_micros 'sum of the account entries, millionths of a currency unit',
    COMMENT COLUMN charged_micros 'sum of charges, corrections, and tax and rounding of closings, millionths of a currency unit',
    COMMENT COLUMN balance_micros 'credited less charged; below 0: the sponsor owes it';

ALTER TABLE account_postings
    MODIFY COMMENT 'what moves a sponsor''s account besides charges and corrections: account entries, and the rounding and tax of closings',
    COMMENT COLUMN number 'number of the account entry, or of the closing',
    COMMENT COLUMN idempotency_key 'of the account entry; of a closing: its number and what it posts',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN kind 'kind of the account entry, or rounding or tax',
    COMMENT COLUMN amount_micros 'millionths of a currency unit; credits are positive',
    COMMENT COLUMN effective_at 'from when it counts; of a closing: the end of its month',
    COMMENT COLUMN booked_at 'when it was booked',
    COMMENT COLUMN who 'who booked it',
    COMMENT COLUMN why 'reason in words';

ALTER TABLE invoices
    MODIFY COMMENT 'closed months that are invoices',
    COMMENT COLUMN invoice_number 'number of the invoice',
    COMMENT COLUMN sponsor_id 'whose month',
    COMMENT COLUMN month 'first day of the month',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN issue_date 'day of the closing, UTC',
    COMMENT COLUMN due_date 'day that it is to be paid by',
    COMMENT COLUMN taxable_micros 'amount before tax, millionths of a currency unit',
    COMMENT COLUMN tax_micros 'tax',
    COMMENT COLUMN amount_due_micros 'what is to be paid, tax included, less what was paid ahead',
    COMMENT COLUMN closing_number 'number of the closing';
