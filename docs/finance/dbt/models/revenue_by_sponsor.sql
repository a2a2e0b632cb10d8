-- Months that the usage belongs to: as the statements have it, corrections included.
select
    month, sponsor_id, currency,
    sum(records) as charged_records,
    sum(sponsored_octets) as octets_sponsored,
    sum(charge_micros) as revenue_micros,
    toDecimal128(revenue_micros, 6) / 1000000 as revenue
from {{ source('zerorate', 'booking_totals') }}
group by month, sponsor_id, currency
