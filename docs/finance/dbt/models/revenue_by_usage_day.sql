-- Days of use (UTC), whenever the records were booked: late records and corrections change earlier days.
select
    toDate(start_time) as usage_date, sponsor_id, application_id, currency,
    sum(if(origin = 'reversal', -1, 1)) as charged_records,
    sum(sponsored_octets) as octets_sponsored,
    sum(charge_micros) as revenue_micros,
    toDecimal128(revenue_micros, 6) / 1000000 as revenue
from {{ source('zerorate', 'bookings') }}
group by usage_date, sponsor_id, application_id, currency
