import { literal, type Store } from '../platform/clickhouse/store.ts';
import type { SourceProof } from '../platform/kafka/log-record.ts';
import { RECYCLED } from '../rating/lane.ts';

/** How far a log is booked, or was at the end of one of its batches. */
interface BookedTo {
  topic: string;
  lastOffset: number;
  proof: SourceProof;
}

interface Row {
  topic: string;
  last: number;
  proof: string;
}

/** Returns every log of a lane as far as it is booked. Rejects with a StoreError. */
export async function readBookedLogs(store: Store, lane: string): Promise<BookedTo[]> {
  const rows = await store.query<Row>(
    'SELECT topic, max(offset) AS last, argMax(source_proof, lane_sequence) AS proof FROM journal ' +
      `WHERE kind = 'batch' AND lane = ${literal(lane)} AND NOT startsWith(topic, '${RECYCLED}') GROUP BY topic`,
  );
  return rows.map(bookedTo);
}

/** Returns a log of a lane at the end of each of its batches, in their order. Rejects with a StoreError. */
export async function readBatchesOfLog(store: Store, lane: string, topic: string): Promise<BookedTo[]> {
  const rows = await store.query<Row>(
    `SELECT topic, offset AS last, source_proof AS proof FROM journal WHERE kind = 'batch' AND lane = ${literal(lane)} ` +
      `AND topic = ${literal(topic)} ORDER BY lane_sequence`,
  );
  return rows.map(bookedTo);
}

function bookedTo({ topic, last, proof }: Row): BookedTo {
  return { topic, lastOffset: Number(last), proof };
}
