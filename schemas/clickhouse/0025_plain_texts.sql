-- Texts inside of arrays as plain String: a dictionary of each cost an insert of charges, whose arrays are empty, more than all other
-- columns together (docs/internals/performance.md). Values are the same. Parts are rewritten as far as they hold these columns.
ALTER TABLE journal
    MODIFY COLUMN outcomes Array(Tuple(application_id String, reason String, records UInt64, octets UInt64)),
    MODIFY COLUMN leakage Array(Tuple(application_id String, reason String, prefix String, tag String, node_id String, day Date, records UInt64, octets UInt64)),
    MODIFY COLUMN further_quotas Array(Tuple(subscriber FixedString(16), quota_id String, quota_version UInt32, period_start Date, used_octets_after UInt64, offset Int64));
