{% test comes_to_the_accounts(model) %}
-- Sponsors whose revenue is not what their account was charged.
select sponsor_id, currency, sum(revenue) as modelled, sum(charged) as booked
from
(
    select sponsor_id, currency, revenue_micros as revenue, toInt64(0) as charged from {{ model }}
    union all
    select sponsor_id, currency, toInt64(0) as revenue, charged_micros as charged
    from {{ source('zerorate', 'account_balances') }}
)
group by sponsor_id, currency
having modelled != booked
{% endtest %}
