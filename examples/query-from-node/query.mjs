// Reads the store's views with ClickHouse's client, from `zerorate serve` or from a ClickHouse server.
import { createClient } from '@clickhouse/client';

const [url = 'http://localhost:8123', database = 'default'] = process.argv.slice(2);
const client = createClient({ url, database });

const MICROS_PER_UNIT = 1_000_000n;

/** Returns the amount in units of the currency: 64-bit integers come as text, and a sum may pass 2^53. */
function amount(micros) {
  const value = BigInt(micros);
  const [sign, size] = value < 0n ? ['-', -value] : ['', value];
  return `${sign}${size / MICROS_PER_UNIT}.${String(size % MICROS_PER_UNIT).padStart(6, '0')}`;
}

async function rowsOf(query, query_params = {}) {
  const answer = await client.query({ query, query_params, format: 'JSONEachRow' });
  return answer.json();
}

const accounts = await rowsOf('SELECT sponsor_id, currency, balance_micros FROM account_balances ORDER BY sponsor_id');
for (const { sponsor_id, currency, balance_micros } of accounts) {
  console.log(`${sponsor_id}: balance ${amount(balance_micros)} ${currency}`);
}

const usage = await rowsOf(
  `SELECT application_id, sum(sponsored_octets) AS octets, sum(charge_micros) AS micros
   FROM booking_totals WHERE sponsor_id = {sponsor: String} GROUP BY application_id ORDER BY application_id`,
  { sponsor: accounts[0].sponsor_id },
);
for (const { application_id, octets, micros } of usage) {
  console.log(`${application_id}: ${octets} octets sponsored, ${amount(micros)} charged`);
}
await client.close();
