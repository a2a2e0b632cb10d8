select booking_date, sum(records_read) as records_in, sum(records_charged + records_not_sponsored + records_duplicate + records_rejected) as records_out
from {{ source('zerorate', 'batches') }}
group by booking_date
having records_in != records_out
