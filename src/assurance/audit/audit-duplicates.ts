import type { Store } from '../../platform/clickhouse/store.ts';
import { formatMicros } from '../../rating/money.ts';
import type { AuditFault } from './invariants.ts';

/** Most charges that one query groups, about: some 300 MiB in ClickHouse, which may run in this process. */
const AT_ONCE = 4_000_000;
/** Above this an aggregation continues in files. */
const MEMORY_BYTES = 512 * 2 ** 20;
const SHOWN = 20;

/** Fields that identify a record. A node that restarts from 0 repeats its numbers at other times. */
const IDENTITY = 'node_id, local_sequence_number, start_time, end_time, uplink_octets, downlink_octets, content_type';

/** A charge that a correction has reversed completely no longer counts. */
const TAKEN_BACK =
  'SELECT topic, partition, offset FROM bookings WHERE (topic, partition, offset) IN ' +
  "(SELECT topic, partition, offset FROM corrections WHERE kind != 'head') " +
  'GROUP BY topic, partition, offset HAVING sum(charge_micros) = 0 AND sum(sponsored_octets) = 0';

const COLUMNS = `${IDENTITY}, topic, partition, offset, lane, charge_micros, currency`;
const IS_CHARGED = '(sponsored_octets > 0 OR charge_micros != 0)';

/** Charges of batches, and of corrections that charged a record first. */
const CHARGED =
  `(SELECT ${COLUMNS} FROM journal WHERE kind = 'charge' AND ${IS_CHARGED} AND (topic, partition, offset) NOT IN (${TAKEN_BACK}) ` +
  `UNION ALL SELECT ${COLUMNS} FROM sponsored_later WHERE ${IS_CHARGED})`;

/**
 * Checks that no record is charged twice, in any lanes, logs or recyclings. A duplicate that comes later than the window of
 * duplicates is charged again, and only this check reports it. Yields a fault for each reported record.
 */
export async function* auditDuplicates(store: Store, atOnce = AT_ONCE): AsyncGenerator<AuditFault> {
  const [{ charges }] = await store.query<{ charges: number }>(
    "SELECT (SELECT count() FROM journal WHERE kind = 'charge') + (SELECT count() FROM sponsored_later) AS charges",
  );
  const slices = Math.max(1, Math.ceil(Number(charges) / atOnce));
  let found = 0;
  for (let slice = 0; slice < slices; slice++) {
    const [{ records, hashes }] = await store.query<{ records: number; hashes: string[] }>(
      `SELECT count() AS records, arrayMap(hash -> toString(hash), groupArray(${SHOWN})(hash)) AS hashes FROM (` +
        `SELECT cityHash64(${IDENTITY}) AS hash FROM ${CHARGED} WHERE hash % ${slices} = ${slice} ` +
        `GROUP BY hash HAVING count() > 1 ORDER BY hash) SETTINGS max_bytes_before_external_group_by = ${MEMORY_BYTES}`,
    );
    const shown = Math.max(0, SHOWN - found);
    found += Number(records);
    if (shown > 0 && hashes.length > 0) yield* namedFaults(store, hashes.slice(0, shown));
  }
  if (found > SHOWN) yield faultOf(`${found - SHOWN} more records are charged twice`);
}

async function* namedFaults(store: Store, hashes: readonly string[]): AsyncGenerator<AuditFault> {
  const rows = await store.query<{ node: string; number: string; currency: string; micros: string; places: string[] }>(
    'SELECT toString(node_id) AS node, toString(local_sequence_number) AS number, any(toString(currency)) AS currency, ' +
      'toString(sum(charge_micros)) AS micros, arraySort(groupArray(20)(' +
      "concat('lane ', lane, ', ', topic, '-', toString(partition), ' offset ', toString(offset), ': ', toString(charge_micros)))) AS places " +
      `FROM ${CHARGED} WHERE cityHash64(${IDENTITY}) IN (${hashes.join(', ')}) GROUP BY ${IDENTITY} HAVING count() > 1 ` +
      'ORDER BY node, number',
  );
  for (const { node, number, currency, micros, places } of rows) {
    yield faultOf(
      `${node} ${number} is charged ${places.length} times with the same content (${places.join('; ')}), ` +
        `${formatMicros(BigInt(micros), currency)} together`,
    );
  }
}

function faultOf(message: string): AuditFault {
  return { invariant: 'duplicates', lane: '', laneSequence: 0, message };
}
