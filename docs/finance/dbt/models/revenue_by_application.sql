-- Months that the usage belongs to, by application, plan version and content.
select
    month, sponsor_id, application_id, plan_id, plan_version, content_type, currency,
    sum(records) as charged_records,
    sum(sponsored_octets) as octets_sponsored,
    sum(subscriber_octets) as octets_of_subscribers,
    sum(charge_micros) as revenue_micros,
    toDecimal128(revenue_micros, 6) / 1000000 as revenue
from {{ source('zerorate', 'booking_totals') }}
group by month, sponsor_id, application_id, plan_id, plan_version, content_type, currency
