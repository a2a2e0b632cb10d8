-- Closed months as they were billed: charges, adjustments, and what the monthly terms and the tax added.
select
    month, sponsor_id, currency,
    charge_micros, adjustment_micros, flat_fee_micros, volume_rebate_micros, shortfall_micros, tax_micros, rounding_micros,
    charge_micros + adjustment_micros + flat_fee_micros + shortfall_micros - volume_rebate_micros + tax_micros - rounding_micros
        as billed_micros,
    toDecimal128(billed_micros, 6) / 1000000 as billed
from {{ source('zerorate', 'closings') }}
