-- What tables, views and the columns of views mean, for those who find them in a catalogue of data. A view takes its columns
-- from a query, so its comments are set beside it; those of tables stand in the tables.
ALTER TABLE journal MODIFY COMMENT 'the append-only truth: a row for each charged and each rejected record, and for each batch';
ALTER TABLE catalogues MODIFY COMMENT 'every catalogue that a batch was rated with';
ALTER TABLE account_entries MODIFY COMMENT 'what moves a sponsor''s account besides charges, numbered';
ALTER TABLE closings MODIFY COMMENT 'months of sponsors that finance has closed, with their frozen totals';
ALTER TABLE corrections MODIFY COMMENT 'charges that were rated anew: reversals and new charges, linked by a head row';

ALTER TABLE charges
    MODIFY COMMENT 'a record rated under a plan',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN period_start 'first day of the statistics period in the plan''s time zone',
    COMMENT COLUMN sponsor_id 'who pays',
    COMMENT COLUMN application_id 'the sponsor''s application that the traffic was of',
    COMMENT COLUMN plan_id 'the sponsorship plan that rated it',
    COMMENT COLUMN plan_version 'version of the plan in force at the record''s start',
    COMMENT COLUMN subscriber 'keyed pseudonym (128 bits), 32 hex digits; zerorate subscriber MSISDN prints it',
    COMMENT COLUMN evidence 'what named the application: the zero-rating tag, the identities of the CDR, the proxy''s address, or several',
    COMMENT COLUMN content_type 'as the record names it; unknown when it names none',
    COMMENT COLUMN start_time 'the record''s startTime, UTC',
    COMMENT COLUMN end_time 'the record''s endTime, UTC',
    COMMENT COLUMN node_id 'the gateway that made the record',
    COMMENT COLUMN local_sequence_number 'the gateway''s number of the record; with node_id its identity',
    COMMENT COLUMN uplink_octets 'IP octets from the terminal',
    COMMENT COLUMN downlink_octets 'IP octets to the terminal',
    COMMENT COLUMN sponsored_octets 'the sponsor pays for these',
    COMMENT COLUMN subscriber_octets 'the subscriber pays for these: uplink + downlink - sponsored',
    COMMENT COLUMN charge_micros 'millionths of a currency unit',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN used_octets_after 'the counter after this record: sponsored octets in the period',
    COMMENT COLUMN carry_after 'the counter after this record: ten-thousandths of an octet left over by the share',
    COMMENT COLUMN reason 'the one reason for the outcome: sponsored, quota_reached or quota_exhausted',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s place in its log';

ALTER TABLE rejections
    MODIFY COMMENT 'a record that could not be rated',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN detail 'what was wrong',
    COMMENT COLUMN payload 'the record, capped, identities replaced by pseudonyms',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s place in its log',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run';

ALTER TABLE batches
    MODIFY COMMENT 'one insert into the journal: all that became of the records from one offset to another',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN first_offset 'the batch''s first offset',
    COMMENT COLUMN last_offset 'the batch''s last offset',
    COMMENT COLUMN prev 'the cursor that the batch extends; -1 before the first',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN lane 'what shares counters and a chain of batches: topic-partition, or "files"',
    COMMENT COLUMN lane_sequence 'number of the batch in its lane, from 1',
    COMMENT COLUMN lane_position 'records read in the lane before this batch',
    COMMENT COLUMN records_read 'records of the batch: charged + not sponsored + duplicate + rejected',
    COMMENT COLUMN records_charged 'records rated under a plan',
    COMMENT COLUMN records_not_sponsored 'records that no sponsor pays for',
    COMMENT COLUMN records_duplicate 'records that were read before, dropped',
    COMMENT COLUMN records_rejected 'records that could not be rated',
    COMMENT COLUMN octets_charged 'octets of the charged records, uplink and downlink',
    COMMENT COLUMN octets_not_sponsored 'octets of the records that no sponsor pays for',
    COMMENT COLUMN octets_duplicate 'octets of the duplicates',
    COMMENT COLUMN octets_rejected 'octets of the rejected records that could be read',
    COMMENT COLUMN key_mismatches 'records whose Kafka key is not their MSISDN',
    COMMENT COLUMN catalogue_hash 'the catalogue that the batch was rated with',
    COMMENT COLUMN suspension_number 'the last suspension fact that the batch was rated with',
    COMMENT COLUMN closing_number 'the last closing that the batch was rated with',
    COMMENT COLUMN engine_version 'the program that booked the batch',
    COMMENT COLUMN digest 'SHA-256 over the batch''s rows';

ALTER TABLE outcomes
    MODIFY COMMENT 'what became of the records of a batch, by application and reason',
    COMMENT COLUMN booking_date 'day of the Kafka timestamp of the batch''s first record; files: the day of the run',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN last_offset 'the batch''s last offset',
    COMMENT COLUMN application_id 'the application that the evidence names; empty where none does',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN records 'records of the batch that ended so',
    COMMENT COLUMN octets 'their octets, uplink and downlink';

ALTER TABLE account_balances
    MODIFY COMMENT 'a sponsor''s account: entries less charges and corrections',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN credited_micros 'sum of the account entries, millionths of a currency unit',
    COMMENT COLUMN charged_micros 'sum of charges and corrections, millionths of a currency unit',
    COMMENT COLUMN balance_micros 'credited less charged; below 0: the sponsor owes it';

ALTER TABLE suspensions
    MODIFY COMMENT 'account entries that stop or resume sponsoring',
    COMMENT COLUMN number 'number of the account entry',
    COMMENT COLUMN sponsor_id 'whose account',
    COMMENT COLUMN suspended '1: sponsoring stopped with it; 0: it began again',
    COMMENT COLUMN why 'reason in words',
    COMMENT COLUMN recorded_by 'who booked it',
    COMMENT COLUMN recorded_at 'when it was booked';

ALTER TABLE torn_subscribers
    MODIFY COMMENT 'subscribers charged in more than one lane of a topic: the producer does not key by MSISDN',
    COMMENT COLUMN topic 'Kafka topic',
    COMMENT COLUMN subscriber 'keyed pseudonym, 32 hex digits',
    COMMENT COLUMN lanes 'lanes that have charges of the subscriber; each has a counter of its own',
    COMMENT COLUMN records 'charges of the subscriber';

ALTER TABLE source_gaps
    MODIFY COMMENT 'offsets that a source lost before they were booked, accepted by an operator',
    COMMENT COLUMN lane 'what shares counters and a chain of batches',
    COMMENT COLUMN lane_sequence 'number of the batch that books the loss',
    COMMENT COLUMN topic 'Kafka topic',
    COMMENT COLUMN partition 'Kafka partition',
    COMMENT COLUMN reason 'records_lost or topic_recreated',
    COMMENT COLUMN first_lost_offset 'first offset that is lost',
    COMMENT COLUMN last_lost_offset 'last offset that is lost',
    COMMENT COLUMN offsets_lost 'how many',
    COMMENT COLUMN booking_date 'day on which the loss was accepted';

ALTER TABLE sequence_gaps
    MODIFY COMMENT 'sequence numbers that no readable record of a node had, with what they may have held on average',
    COMMENT COLUMN node_id 'the gateway that numbers its records',
    COMMENT COLUMN first_missing 'first number that is missing',
    COMMENT COLUMN last_missing 'last number that is missing',
    COMMENT COLUMN missing 'how many',
    COMMENT COLUMN charged_octets_at_risk 'octets that the missing ones may have held, by the node''s average',
    COMMENT COLUMN charge_micros_at_risk 'charges that they may have made, by currency, millionths of a unit';

ALTER TABLE bookings
    MODIFY COMMENT 'all that moves a sponsor''s account by usage: charges, reversals and new charges of corrections',
    COMMENT COLUMN origin 'charge, reversal or recharge',
    COMMENT COLUMN correction_number 'the correction that booked it; 0 for a charge of the journal',
    COMMENT COLUMN booking_date 'day on which it was booked',
    COMMENT COLUMN month 'first day of the month that the statistics period begins in: the statement it belongs to',
    COMMENT COLUMN period_start 'first day of the statistics period in the plan''s time zone',
    COMMENT COLUMN sponsor_id 'who pays',
    COMMENT COLUMN application_id 'the sponsor''s application that the traffic was of',
    COMMENT COLUMN plan_id 'the sponsorship plan that rated it',
    COMMENT COLUMN plan_version 'version of the plan in force at the record''s start',
    COMMENT COLUMN subscriber 'keyed pseudonym (128 bits), 16 octets',
    COMMENT COLUMN evidence 'what named the application: the zero-rating tag, the identities of the CDR, the proxy''s address, or several',
    COMMENT COLUMN content_type 'as the record names it; unknown when it names none',
    COMMENT COLUMN start_time 'the record''s startTime, UTC',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN sponsored_octets 'the sponsor pays for these; a reversal''s are below 0',
    COMMENT COLUMN subscriber_octets 'the subscriber pays for these; a reversal''s are below 0',
    COMMENT COLUMN charge_micros 'millionths of a currency unit; a reversal''s are below 0',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN used_octets_after 'the counter after this record: sponsored octets in the period',
    COMMENT COLUMN topic 'Kafka topic, or name of the file',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s place in its log';

ALTER TABLE booking_totals
    MODIFY COMMENT 'bookings summed by all that a bill is cut by; reads the journal''s projection, not its rows',
    COMMENT COLUMN origin 'charge, reversal or recharge',
    COMMENT COLUMN booking_date 'day on which it was booked',
    COMMENT COLUMN month 'first day of the month that the statistics period begins in: the statement it belongs to',
    COMMENT COLUMN period_start 'first day of the statistics period in the plan''s time zone',
    COMMENT COLUMN sponsor_id 'who pays',
    COMMENT COLUMN application_id 'the sponsor''s application that the traffic was of',
    COMMENT COLUMN plan_id 'the sponsorship plan that rated it',
    COMMENT COLUMN plan_version 'version of the plan',
    COMMENT COLUMN evidence 'what named the application: the zero-rating tag, the identities of the CDR, the proxy''s address, or several',
    COMMENT COLUMN content_type 'as the records name it; unknown when they name none',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN currency 'ISO 4217',
    COMMENT COLUMN records 'charges and recharges, less reversals',
    COMMENT COLUMN sponsored_octets 'the sponsor pays for these',
    COMMENT COLUMN subscriber_octets 'the subscriber pays for these',
    COMMENT COLUMN charge_micros 'millionths of a currency unit';

ALTER TABLE recyclings MODIFY COMMENT 'rejected records that were mended and handed in again';

ALTER TABLE recycled
    MODIFY COMMENT 'what became of the recyclings',
    COMMENT COLUMN number 'number of the recycling',
    COMMENT COLUMN topic 'the rejection''s log',
    COMMENT COLUMN partition 'the rejection''s partition, and the mended record''s',
    COMMENT COLUMN offset 'the rejection''s offset, and the mended record''s',
    COMMENT COLUMN recycled_topic 'the log under which the mended record is booked',
    COMMENT COLUMN is_booked '1: booked; 0: the recycling was cut short, the same command goes on with it',
    COMMENT COLUMN claimed_at 'when the recycling was booked',
    COMMENT COLUMN who 'who handed the mended records in',
    COMMENT COLUMN why 'reason in words';

ALTER TABLE suspense
    MODIFY COMMENT 'rejected records that nobody has mended yet',
    COMMENT COLUMN reason 'the one reason for the outcome',
    COMMENT COLUMN detail 'what was wrong',
    COMMENT COLUMN payload 'the record, capped, identities replaced by pseudonyms',
    COMMENT COLUMN topic 'Kafka topic, name of the file, or the log of a recycling',
    COMMENT COLUMN partition 'Kafka partition; 0 for a file',
    COMMENT COLUMN offset 'the record''s place in its log',
    COMMENT COLUMN booking_date 'day on which the rejection was booked',
    COMMENT COLUMN lane 'what shares counters with it: a mended record is booked there';
