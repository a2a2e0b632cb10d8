-- Booking days: what was booked on a day does not change any more.
select
    booking_date, sponsor_id, application_id, currency,
    sum(records) as charged_records,
    sum(sponsored_octets) as octets_sponsored,
    sum(charge_micros) as revenue_micros,
    toDecimal128(revenue_micros, 6) / 1000000 as revenue
from {{ source('zerorate', 'booking_totals') }}
group by booking_date, sponsor_id, application_id, currency
