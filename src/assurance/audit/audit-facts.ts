import type { Store } from '../../platform/clickhouse/store.ts';
import { auditMonthlyTerms } from './audit-monthly-terms.ts';
import { auditNumberedFacts } from './audit-numbered-facts.ts';
import type { AuditFault, Invariant } from './invariants.ts';

/** Most faults of one kind that are reported. */
const SHOWN = 20;

/**
 * Checks what finance has posted: facts are numbered from 1 without a gap, each number occurs once, with the rows that its digest is over;
 * corrections reverse the current charges, and closings posted what their monthly terms bill. Yields every reported fault; a consistent
 * store yields none.
 */
export async function* auditFacts(store: Store): AsyncGenerator<AuditFault> {
  yield* auditNumberedFacts(store);
  yield* headlessFaults(store);
  yield* recycledTwiceFaults(store);
  yield* reversalFaults(store);
  yield* firstChargeFaults(store);
  yield* readLogFaults(store);
  yield* auditMonthlyTerms(store);
}

async function* headlessFaults(store: Store): AsyncGenerator<AuditFault> {
  const faults = await store.query<{ number: number }>(
    "SELECT number FROM corrections GROUP BY number HAVING countIf(kind = 'head') = 0 " +
      `ORDER BY number LIMIT ${SHOWN}`,
  );
  for (const { number } of faults) yield faultOf('facts', `corrections: rows of number ${number} have no head`);
}

async function* recycledTwiceFaults(store: Store): AsyncGenerator<AuditFault> {
  const faults = await store.query<{ topic: string; partition: number; offset: number; times: number }>(
    'SELECT topic, partition, offset, count() AS times FROM recyclings ' +
      // Rejections of a reversed recycling may be recycled again.
      "WHERE number NOT IN (SELECT recycling FROM corrections WHERE kind = 'head' AND recycling > 0) " +
      `GROUP BY ALL HAVING count() > 1 ORDER BY topic, partition, offset LIMIT ${SHOWN}`,
  );
  for (const { topic, partition, offset, times } of faults) {
    yield faultOf('facts', `recyclings: the rejection ${topic}-${partition} offset ${offset} occurs ${times} times`);
  }
}

const READ_SOURCE = "SELECT number FROM corrections WHERE kind = 'head' AND notEmpty(read_logs)";

/**
 * Yields faults in the rows of each corrected record, in the order of corrections: its charge, then a reversal and another
 * charge, and so on. A reversal must be the negative of the row before it, and a charge must come after a reversal of its
 * own correction. Only a correction that read the source charges a record without a current charge.
 */
async function* reversalFaults(store: Store): AsyncGenerator<AuditFault> {
  const terms =
    'sponsor_id, application_id, subscriber, evidence, plan_id, plan_version, period_start, reason, currency, used_octets_after';
  const amounts = 'sponsored_octets, subscriber_octets, charge_micros';
  const faults = await store.query<{ topic: string; partition: number; offset: number; number: number; step: string }>(
    'WITH rows AS (' +
      `SELECT topic, partition, offset, correction_number AS number, origin = 'reversal' AS takes_back, ` +
      `(${terms}) AS terms, [${amounts}] AS amounts FROM bookings ` +
      "WHERE (topic, partition, offset) IN (SELECT topic, partition, offset FROM corrections WHERE kind != 'head')" +
      '), steps AS (' +
      'SELECT *, row_number() OVER record AS at, lagInFrame(number) OVER record AS last_number, ' +
      'lagInFrame(takes_back) OVER record AS last_takes_back, lagInFrame(terms) OVER record AS last_terms, ' +
      'lagInFrame(amounts) OVER record AS last_amounts FROM rows ' +
      'WINDOW record AS (PARTITION BY topic, partition, offset ORDER BY number, takes_back DESC ' +
      'ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) ' +
      'SELECT topic, partition, offset, number, ' +
      "if(takes_back, 'reversal', 'charge') AS step FROM steps WHERE NOT multiIf(" +
      `at = 1, NOT takes_back AND (number = 0 OR number IN (${READ_SOURCE})), ` +
      'takes_back, NOT last_takes_back AND terms = last_terms AND amounts = arrayMap(x -> -x, last_amounts), ' +
      `last_takes_back AND (number = last_number OR number IN (${READ_SOURCE})) ` +
      'AND amounts[1] + amounts[2] = -(last_amounts[1] + last_amounts[2])) ' +
      `ORDER BY topic, partition, offset, number LIMIT ${SHOWN}`,
  );
  for (const { topic, partition, offset, number, step } of faults) {
    const what =
      step === 'reversal' ? 'reverses a charge that is not current' : 'charges without reversing the current charge';
    yield faultOf('corrections', `correction ${number} ${what}: ${topic}-${partition} offset ${offset}`);
  }
}

/**
 * Yields faults in the rows that charge a record first: the journal has no charge row of it, its octets are those of its charge, and
 * a batch that the correction read has its place.
 */
async function* firstChargeFaults(store: Store): AsyncGenerator<AuditFault> {
  const places = 'topic, partition, offset';
  const faults = await store.query<{ topic: string; partition: number; offset: number; number: number }>(
    `SELECT ${places}, number FROM corrections INNER JOIN (SELECT number, read_logs AS logs FROM corrections WHERE kind = 'head') AS heads ` +
      "USING (number) WHERE kind != 'head' AND lane != '' AND NOT (kind = 'charge' " +
      'AND sponsored_octets + subscriber_octets = toInt64(uplink_octets + downlink_octets) ' +
      'AND arrayExists(log -> log.lane = lane AND log.topic = topic AND log.partition = partition ' +
      'AND offset BETWEEN log.first_offset AND log.last_offset, logs) ' +
      `AND (${places}) NOT IN (SELECT ${places} FROM journal WHERE kind = 'charge' ` +
      `AND (${places}) IN (SELECT ${places} FROM corrections WHERE lane != ''))) ORDER BY number, ${places} LIMIT ${SHOWN}`,
  );
  for (const { topic, partition, offset, number } of faults) {
    const place = `${topic}-${partition} offset ${offset}`;
    yield faultOf(
      'corrections',
      `correction ${number} charges a record that it did not read, or that is another: ${place}`,
    );
  }
}

/** Yields faults in what corrections say they read: the journal's batches, with all of their records, up to the same proof. */
async function* readLogFaults(store: Store): AsyncGenerator<AuditFault> {
  const log =
    'log.1 AS lane, log.2 AS topic, log.3 AS partition, log.4 AS first, log.5 AS last, log.6 AS read, log.7 AS proof';
  const within = 'first_offset >= first AND offset <= last';
  const faults = await store.query<{ number: number; topic: string; partition: number; first: number; last: number }>(
    `SELECT number, topic, partition, first, last FROM (SELECT number, ${log} FROM corrections ARRAY JOIN read_logs AS log ` +
      "WHERE kind = 'head') AS logs LEFT JOIN (SELECT lane, topic, partition, first_offset, offset, records_read, source_proof " +
      "FROM journal WHERE kind = 'batch' AND gap_reason = '') AS batches USING (lane, topic, partition) " +
      `GROUP BY number, lane, topic, partition, first, last, read, proof HAVING sumIf(records_read, ${within}) != read ` +
      `OR argMaxIf(source_proof, offset, ${within}) != proof OR minIf(first_offset, ${within}) != first ` +
      `OR maxIf(offset, ${within}) != last ORDER BY number, topic, partition, first LIMIT ${SHOWN}`,
  );
  for (const { number, topic, partition, first, last } of faults) {
    const place = `${topic}-${partition}, offsets ${first} to ${last}`;
    yield faultOf('corrections', `correction ${number} says that it read what the journal has otherwise: ${place}`);
  }
}

function faultOf(invariant: Invariant, message: string): AuditFault {
  return { invariant, lane: '', laneSequence: 0, message };
}
