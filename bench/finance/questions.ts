/** What finance asks of a year, each as one query. */
export interface Question {
  name: string;
  sql: string;
}

export const QUESTIONS: readonly Question[] = [
  {
    name: 'statement of one sponsor and month',
    sql:
      'SELECT application_id, plan_id, plan_version, content_type, reason, currency, sum(records) AS records, ' +
      'sum(sponsored_octets) AS sponsored_octets, sum(subscriber_octets) AS subscriber_octets, sum(charge_micros) AS micros ' +
      "FROM booking_totals WHERE sponsor_id = 'sponsor-03' AND month = '2026-06-01' GROUP BY ALL ORDER BY ALL",
  },
  {
    name: 'its days',
    sql:
      'SELECT booking_date, application_id, sum(sponsored_octets) AS sponsored_octets, sum(charge_micros) AS micros ' +
      "FROM booking_totals WHERE sponsor_id = 'sponsor-03' AND month = '2026-06-01' GROUP BY ALL ORDER BY ALL",
  },
  { name: 'balances of all sponsors', sql: 'SELECT * FROM account_balances ORDER BY ALL' },
  {
    name: 'revenue by sponsor and day, a year',
    sql:
      'SELECT sponsor_id, booking_date, currency, sum(charge_micros) AS micros ' +
      'FROM booking_totals GROUP BY ALL ORDER BY ALL',
  },
  {
    name: 'outcomes by reason and month',
    sql:
      'SELECT toStartOfMonth(booking_date) AS month, reason, sum(records) AS records, sum(octets) AS octets ' +
      'FROM outcomes GROUP BY ALL ORDER BY ALL',
  },
  {
    name: 'top subscribers of one sponsor and month',
    sql:
      'SELECT subscriber, sum(sponsored_octets) AS sponsored_octets, sum(charge_micros) AS micros FROM charges ' +
      "WHERE sponsor_id = 'sponsor-03' AND toStartOfMonth(period_start) = '2026-06-01' " +
      'GROUP BY subscriber ORDER BY micros DESC, subscriber LIMIT 20',
  },
];
