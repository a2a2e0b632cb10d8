-- Roles for a ClickHouse server whose database is `zerorate`, each with what its work needs and no more. An administrator
-- runs them once the database has its tables, and again after each upgrade; then users are given roles:
--
--     clickhouse-client --queries-file schemas/clickhouse/roles.sql
--     CREATE USER maria IDENTIFIED BY '...' DEFAULT ROLE zerorate_analyst;  GRANT zerorate_analyst TO maria;
--
-- No role has a whole table of records: whoever may read every column of one may pass by row policies (mergeTreeProjection).
CREATE ROLE IF NOT EXISTS zerorate_migrator, zerorate_engine, zerorate_clerk;
CREATE ROLE IF NOT EXISTS zerorate_analyst, zerorate_investigator, zerorate_sponsor, zerorate_dispatch;

-- Makes the database and brings it up to date. A store that is up to date asks nothing of it: engines need not be migrators.
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER, SHOW, SELECT, INSERT ON zerorate.* TO zerorate_migrator;

-- Books batches, the suspensions of sponsors whose credit is used up, and which caps of campaigns are reached.
GRANT SELECT, INSERT ON zerorate.journal TO zerorate_engine;
GRANT SELECT, INSERT ON zerorate.catalogues TO zerorate_engine;
GRANT SELECT, INSERT ON zerorate.account_entries TO zerorate_engine;
GRANT SELECT, INSERT ON zerorate.campaign_facts TO zerorate_engine;
GRANT SELECT, INSERT ON zerorate.writer_schemas TO zerorate_engine;
GRANT SELECT ON zerorate.suspensions TO zerorate_engine;
GRANT SELECT ON zerorate.corrections TO zerorate_engine;
GRANT SELECT ON zerorate.closings TO zerorate_engine;
GRANT SELECT, INSERT ON zerorate.pseudonym_keys TO zerorate_engine;
GRANT SELECT ON zerorate.schema_migrations TO zerorate_engine;
-- Blocks come by the table function `input`, which counts as one.
GRANT CREATE TEMPORARY TABLE ON *.* TO zerorate_engine;

-- Of a dispatch server: which sponsors are suspended, and which key subscribers are booked under.
GRANT SELECT ON zerorate.suspensions TO zerorate_dispatch;
GRANT SELECT(kind, number, sponsor_id, who, why, booked_at) ON zerorate.account_entries TO zerorate_dispatch;
GRANT SELECT(number, fingerprint) ON zerorate.pseudonym_keys TO zerorate_dispatch;

-- Reads all that finance asks for, of all sponsors, and no subscriber: neither pseudonyms nor payloads.
GRANT SHOW TABLES, SHOW COLUMNS ON zerorate.* TO zerorate_analyst;
GRANT SELECT(kind, lane, topic, partition, offset, booking_date, chained_on, reason, sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, end_time, node_id, local_sequence_number, uplink_octets, downlink_octets, sponsored_octets, charge_micros, currency, used_octets_after, carry_after, detail, first_offset, prev, lane_sequence, lane_position, records_read, records_charged, records_not_sponsored, records_duplicate, records_rejected, octets_charged, octets_not_sponsored, octets_duplicate, octets_rejected, key_mismatches, suspension_number, closing_number, leakage_rows, published_through, campaign_number, catalogue_hash, engine_version, digest, gap_reason, source_proof, outcomes, leakage) ON zerorate.journal TO zerorate_analyst;
GRANT SELECT(booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, evidence, content_type, start_time, end_time, node_id, local_sequence_number, uplink_octets, downlink_octets, sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after, carry_after, reason, topic, partition, offset) ON zerorate.charges TO zerorate_analyst;
GRANT SELECT(origin, correction_number, booking_date, month, period_start, sponsor_id, application_id, plan_id, plan_version, evidence, content_type, start_time, reason, sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after, topic, partition, offset) ON zerorate.bookings TO zerorate_analyst;
GRANT SELECT(kind, number, correction, booking_date, booked_at, who, why, catalogue_hash, recycling, is_adjustment, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, reason, sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after, carry_after, lane, record_booked_on, end_time, node_id, local_sequence_number, uplink_octets, downlink_octets, read_logs, read_through) ON zerorate.corrections TO zerorate_analyst;
GRANT SELECT(lane, topic, partition, offset, record_booked_on, correction_number, sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, end_time, node_id, local_sequence_number, uplink_octets, downlink_octets, sponsored_octets, charge_micros, currency, used_octets_after, carry_after, reason) ON zerorate.sponsored_later TO zerorate_analyst;
GRANT SELECT(reason, detail, topic, partition, offset, booking_date) ON zerorate.rejections TO zerorate_analyst;
GRANT SELECT(reason, detail, topic, partition, offset, booking_date, lane) ON zerorate.suspense TO zerorate_analyst;
GRANT SELECT ON zerorate.booking_totals TO zerorate_analyst;
GRANT SELECT ON zerorate.usage_by_day TO zerorate_analyst;
GRANT SELECT ON zerorate.plan_time_zones TO zerorate_analyst;
GRANT SELECT ON zerorate.account_balances TO zerorate_analyst;
GRANT SELECT ON zerorate.account_entries TO zerorate_analyst;
GRANT SELECT ON zerorate.account_postings TO zerorate_analyst;
GRANT SELECT ON zerorate.invoices TO zerorate_analyst;
GRANT SELECT ON zerorate.suspensions TO zerorate_analyst;
GRANT SELECT(number, idempotency_key, campaign_id, kind, cap_per, cap_unit, cap_limit, window_start, basis_points, used, booked_at, who, why) ON zerorate.campaign_facts TO zerorate_analyst;
GRANT SELECT ON zerorate.closings TO zerorate_analyst;
GRANT SELECT ON zerorate.batches TO zerorate_analyst;
GRANT SELECT ON zerorate.outcomes TO zerorate_analyst;
GRANT SELECT ON zerorate.leakage TO zerorate_analyst;
GRANT SELECT(booking_date, lane, topic, partition, lane_sequence, offset, quota_id, quota_version, period_start, used_octets_after) ON zerorate.further_quota_counters TO zerorate_analyst;
GRANT SELECT ON zerorate.source_gaps TO zerorate_analyst;
GRANT SELECT ON zerorate.source_starts TO zerorate_analyst;
GRANT SELECT ON zerorate.sequence_gaps TO zerorate_analyst;
GRANT SELECT ON zerorate.recyclings TO zerorate_analyst;
GRANT SELECT ON zerorate.recycled TO zerorate_analyst;
GRANT SELECT ON zerorate.catalogues TO zerorate_analyst;
GRANT SELECT ON zerorate.pseudonym_keys TO zerorate_analyst;
GRANT SELECT ON zerorate.writer_schemas TO zerorate_analyst;
GRANT SELECT ON zerorate.schema_migrations TO zerorate_analyst;
-- It counts numbers that stand in payloads, and shows nothing else of them: it reads with the administrator's rights.
ALTER TABLE zerorate.sequence_gaps MODIFY SQL SECURITY DEFINER;

-- Looks into a subscriber's case: pseudonyms, and what was rejected.
GRANT zerorate_analyst TO zerorate_investigator;
GRANT SELECT(subscriber, payload, further_quotas) ON zerorate.journal TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.further_quota_counters TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.charges TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.bookings TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.corrections TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.sponsored_later TO zerorate_investigator;
GRANT SELECT(subscriber) ON zerorate.campaign_facts TO zerorate_investigator;
GRANT SELECT(payload) ON zerorate.rejections TO zerorate_investigator;
GRANT SELECT(payload) ON zerorate.suspense TO zerorate_investigator;
GRANT SELECT ON zerorate.torn_subscribers TO zerorate_investigator;

-- Posts entries, closes months, corrects, and resubmits corrected records (for those, and to re-rate from the source, it also needs the engine's role).
GRANT zerorate_investigator TO zerorate_clerk;
GRANT INSERT ON zerorate.account_entries TO zerorate_clerk;
GRANT INSERT ON zerorate.campaign_facts TO zerorate_clerk;
GRANT INSERT ON zerorate.closings TO zerorate_clerk;
GRANT INSERT ON zerorate.corrections TO zerorate_clerk;
GRANT INSERT ON zerorate.recyclings TO zerorate_clerk;
GRANT INSERT ON zerorate.catalogues TO zerorate_clerk;
GRANT CREATE TEMPORARY TABLE ON *.* TO zerorate_clerk;

-- Reads one sponsor's own account and usage: the user of this role has the sponsor's id for its name. One that is named
-- otherwise reads nothing.
GRANT SELECT(kind, topic, partition, offset, booking_date, reason, sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, end_time, uplink_octets, downlink_octets, sponsored_octets, charge_micros, currency) ON zerorate.journal TO zerorate_sponsor;
GRANT SELECT(booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, evidence, content_type, start_time, end_time, uplink_octets, downlink_octets, sponsored_octets, subscriber_octets, charge_micros, currency, reason, topic, partition, offset) ON zerorate.charges TO zerorate_sponsor;
GRANT SELECT(kind, number, correction, booking_date, is_adjustment, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, reason, sponsored_octets, subscriber_octets, charge_micros, currency) ON zerorate.corrections TO zerorate_sponsor;
GRANT SELECT(number, sponsor_id, currency, kind, amount_micros, effective_at, booked_at, why) ON zerorate.account_entries TO zerorate_sponsor;
GRANT SELECT(number, sponsor_id, month, closed_at, currency, records, sponsored_octets, charge_micros, adjustment_micros, credit_micros, opening_micros, closing_micros, merkle_root, amount_due_micros, taxable_micros, tax_micros, rounding_micros, flat_fee_micros, volume_rebate_micros, shortfall_micros, monthly_terms, invoice_number, invoice) ON zerorate.closings TO zerorate_sponsor;
GRANT SELECT ON zerorate.invoices TO zerorate_sponsor;
GRANT SELECT ON zerorate.booking_totals TO zerorate_sponsor;
GRANT SELECT ON zerorate.account_balances TO zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_own_rows ON zerorate.journal USING sponsor_id = currentUser() TO zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_own_rows ON zerorate.corrections USING sponsor_id = currentUser() TO zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_own_rows ON zerorate.account_entries USING sponsor_id = currentUser() TO zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_own_rows ON zerorate.closings USING sponsor_id = currentUser() TO zerorate_sponsor;
-- A table with a policy shows nothing to whom none applies.
CREATE ROW POLICY OR REPLACE zerorate_all_rows ON zerorate.journal USING 1 TO ALL EXCEPT zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_all_rows ON zerorate.corrections USING 1 TO ALL EXCEPT zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_all_rows ON zerorate.account_entries USING 1 TO ALL EXCEPT zerorate_sponsor;
CREATE ROW POLICY OR REPLACE zerorate_all_rows ON zerorate.closings USING 1 TO ALL EXCEPT zerorate_sponsor;
