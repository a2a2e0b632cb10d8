import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { consecutiveNumber } from '../../rating/record/cdr-numbering.ts';
import { isNumbered } from '../../rating/record/content-numbering.ts';
import { dateLiteral } from '../month.ts';
import { sumOf } from '../statements/statement-arithmetic.ts';
import type { Completeness } from '../statements/statement-document.ts';
import { type Coverage, coveredJournal, withinCursors } from './coverage.ts';

/** A node counts to 4294967295 and restarts (TS 32.298). */
const NUMBERS = '4294967296';
const HALF = '2147483648';

/**
 * Estimates what the missing records would have added to this bill, if they were like the node's other records. Missing are
 * sequence numbers without a readable record, between the first and the last number of the node's records of the month. This
 * is the part of the view `sequence_gaps` that affects the bill. The counts of nodes are of all sponsors and are not
 * returned.
 */
export async function readMissingRecords(store: Store, coverage: Coverage): Promise<Completeness['missingRecords']> {
  // Counts what arrived between the two ends, both of which arrived; a repeated number makes a step of 0.
  const steps = 'arrayDifference(arraySort(groupArray(place)))';
  // A store that is only read may be without the migration that made the view.
  const [{ result: hasLater }] = await store.query<{ result: number }>('EXISTS TABLE sponsored_later');
  const rows = await store.query<Record<'missing' | 'arrived' | 'own' | 'sponsored' | 'micros', string>>(
    'SELECT toString(arraySum(step -> greatest(step, 1) - 1, steps)) AS missing, ' +
      'toString(arraySum(step -> least(step, 1), steps) + 1) AS arrived, toString(records) AS own, ' +
      'toString(sponsored) AS sponsored, toString(micros) AS micros ' +
      `FROM (SELECT nodes.node_id AS node, ${steps} AS steps, any(own) AS records, any(octets) AS sponsored, any(charged) AS micros ` +
      `FROM (${arrivedNumbers(coverage)}) AS arrived INNER JOIN (${nodesOfBill(coverage, Number(hasLater) === 1)}) AS nodes ON arrived.node_id = nodes.node_id ` +
      `WHERE (if(nodes.begun_again AND number >= ${HALF}, number - ${NUMBERS}, number) AS place) BETWEEN lowest AND highest ` +
      'GROUP BY node) WHERE arrayExists(step -> step > 1, steps) ORDER BY node',
  );
  const sum = (of: 'own' | 'sponsored' | 'micros') =>
    sumOf(rows, (row) => (BigInt(row[of]) * BigInt(row.missing)) / BigInt(row.arrived));
  return { records: Number(sum('own')), sponsoredOctets: sum('sponsored'), chargeMicros: sum('micros') };
}

/**
 * Selects the numbers of all readable records in the coverage: neither rejected nor duplicates, and readable rejected ones.
 */
function arrivedNumbers(coverage: Coverage): string {
  const [nodeId, number] = ["JSONExtractString(payload, 'nodeId')", "JSONExtractInt(payload, 'localSequenceNumber')"];
  const isReadable = "JSONType(payload, 'nodeId') = 'String' AND JSONType(payload, 'localSequenceNumber') = 'Int64'";
  return (
    `SELECT node_id, ${consecutiveNumber('node_id', 'numbered')} AS number FROM (` +
    'SELECT seen_nodes[seen_node + 1] AS node_id, numbered FROM journal ' +
    'ARRAY JOIN seen.node AS seen_node, seen.sequence AS numbered ' +
    `WHERE kind = 'batch' AND ${withinCursors(coverage)} ` +
    `UNION ALL SELECT ${nodeId} AS node_id, ${number} AS numbered FROM journal ` +
    `WHERE kind = 'rejection' AND ${isReadable} AND ${withinCursors(coverage)})`
  );
}

/**
 * Selects the nodes that sent records of the month itself: their first and last number, and what the sponsor pays of them.
 */
function nodesOfBill(coverage: Coverage, hasLater: boolean): string {
  const month = 'toStartOfMonth(period_start)';
  const number = consecutiveNumber('node_id', 'local_sequence_number');
  const place = `if(${number} >= ${HALF}, ${number} - ${NUMBERS}, ${number})`;
  const fields = 'node_id, local_sequence_number, sponsored_octets, charge_micros';
  const ofBill = `sponsor_id = ${literal(coverage.sponsorId)} AND ${month} = ${dateLiteral(coverage.month)} AND ${isNumbered('node_id')}`;
  // Records that a correction charged first.
  const later = `UNION ALL SELECT ${fields} FROM sponsored_later WHERE ${ofBill} AND correction_number <= ${coverage.upTo.lastCorrection}`;
  const hasRestarted = `max(${number}) - min(${number}) > ${HALF} AND max(${number}) < ${NUMBERS}`;
  return (
    `SELECT node_id, ${hasRestarted} AS begun_again, ` +
    `if(begun_again, min(${place}), min(${number})) AS lowest, ` +
    `if(begun_again, max(${place}), max(${number})) AS highest, ` +
    `count() AS own, sum(sponsored_octets) AS octets, sum(charge_micros) AS charged FROM (` +
    `SELECT ${fields} FROM journal WHERE kind = 'charge' AND ${ofBill} AND ${coveredJournal(coverage, month)} ` +
    `${hasLater ? later : ''}) GROUP BY node_id`
  );
}
