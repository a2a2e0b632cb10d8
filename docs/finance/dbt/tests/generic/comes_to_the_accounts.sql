{% test comes_to_the_accounts(model) %}
-- Sponsors whose revenue is not what their account was charged, without what closings post.
select sponsor_id, currency, sum(revenue) as modelled, sum(charged) as booked
from
(
    select sponsor_id, currency, revenue_micros as revenue, toInt64(0) as charged from {{ model }}
    union all
    select sponsor_id, currency, toInt64(0) as revenue, charged_micros as charged
    from {{ source('zerorate', 'account_balances') }}
    union all
    select
        sponsor_id, currency, toInt64(0) as revenue,
        volume_rebate_micros - flat_fee_micros - shortfall_micros + rounding_micros - tax_micros as charged
    from {{ source('zerorate', 'closings') }}
)
group by sponsor_id, currency
having modelled != booked
{% endtest %}
