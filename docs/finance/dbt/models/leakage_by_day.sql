-- Octets that no sponsor pays for, by where they come from.
select
    booking_date, reason, application_id, remote_prefix, tag, node_id, is_remainder,
    sum(records) as unsponsored_records,
    sum(octets) as unsponsored_octets
from {{ source('zerorate', 'leakage') }}
group by booking_date, reason, application_id, remote_prefix, tag, node_id, is_remainder
