import { migrate } from '../../src/journal/migrate.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { BATCH_RECORDS, LANE, laneOf, NODES, OCTETS_PER_CHARGE } from './lane.ts';

// Makes a store and books a lane in it, batch after batch, as an engine would have: all its records are charged.
const [directory, ...args] = process.argv.slice(2);
const { counters, plans, charges } = laneOf(args);
const records = counters * charges;
const PLACE = `lane, topic, partition, booking_date, chained_on, offset`;
const placed = (offset: string) => `'${LANE}', 'flows', 0, toDate('2026-10-15'), toDate('2026-10-15'), ${offset}`;
const ONE_PART = 'SETTINGS max_insert_threads = 1, max_threads = 1, max_block_size = 4000000';

const store = await openEmbeddedStore(directory, { create: true });
await migrate(store, packagePath('schemas/clickhouse'));
for (let first = 0, batch = 1; first < records; first += BATCH_RECORDS, batch++) {
  const count = Math.min(BATCH_RECORDS, records - first);
  // All counters are charged once, then all of them once more.
  const counter = `((${first} + number) % ${counters})`;
  const octets = (intDiv: string) => `(${intDiv} + 1) * ${OCTETS_PER_CHARGE}`;
  await store.command(
    `INSERT INTO journal (kind, ${PLACE}, reason, sponsor_id, application_id, plan_id, plan_version, period_start, ` +
      'subscriber, evidence, content_type, start_time, end_time, node_id, local_sequence_number, uplink_octets, ' +
      'downlink_octets, sponsored_octets, charge_micros, currency, used_octets_after, carry_after) ' +
      `SELECT 'charge', ${placed(`${first} + number`)}, 'sponsored', 'sponsor-1', 'app-1', ` +
      `concat('plan-', toString(${counter} % ${plans})), 1, toDate('2026-10-01'), ` +
      `CAST(sipHash128(intDiv(${counter}, ${plans})) AS FixedString(16)), 'tag', 'text', ` +
      `toDateTime64('2026-10-15 12:00:00', 3, 'UTC'), toDateTime64('2026-10-15 12:00:00', 3, 'UTC'), ` +
      `concat('gw-', toString(number % ${NODES})), intDiv(${first} + number, ${NODES}), 1000, ${OCTETS_PER_CHARGE - 1000}, ` +
      `${OCTETS_PER_CHARGE}, 5, 'USD', ${octets(`intDiv(${first} + number, ${counters})`)}, ${counter} % 10000 ` +
      `FROM numbers(${count}) ${ONE_PART}`,
  );
  await store.command(
    `INSERT INTO journal (kind, ${PLACE}, first_offset, prev, lane_sequence, lane_position, records_read, ` +
      'records_charged, octets_charged, seen_nodes, seen) ' +
      `SELECT 'batch', ${placed(String(first + count - 1))}, ${first}, ${first - 1}, ${batch}, ${first}, ${count}, ` +
      `${count}, ${count * OCTETS_PER_CHARGE}, arrayMap(node -> concat('gw-', toString(node)), range(${NODES})), ` +
      `arrayMap(row -> (row, row % ${NODES}, intDiv(${first} + row, ${NODES}), row * 7), range(${count}))`,
  );
}
await store.close();
