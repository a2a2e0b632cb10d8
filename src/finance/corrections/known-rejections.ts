import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { RECYCLED } from '../../rating/lane.ts';
import { type CorrectedRecord, recordPlaceOf } from './corrected-records.ts';

/** Places in one query. */
const PLACES_A_QUERY = 1000;

/** A rejection in the store. */
export interface KnownRejection {
  lane: string;
  /** Number of the recycling that claimed it, unless that was reversed; 0: none has. */
  number: number;
  /** Digest of that recycling's records. */
  digest: string;
  /** The record was rejected again when that recycling was booked. */
  isRejectedAgain: boolean;
}

type Row = {
  topic: string;
  partition: number;
  offset: number;
  lane: string;
  number: number;
  digest: string;
  again: number;
};

/** Returns the rejections at the records' places, by place. */
export async function readRejections(
  store: Store,
  records: readonly CorrectedRecord[],
): Promise<Map<string, KnownRejection>> {
  const known = new Map<string, KnownRejection>();
  for (let at = 0; at < records.length; at += PLACES_A_QUERY) {
    const places = records
      .slice(at, at + PLACES_A_QUERY)
      .map(({ topic, partition, offset }) => `(${literal(topic)}, ${partition}, ${offset})`)
      .join(', ');
    for (const { lane, number, digest, again, ...place } of await store.query<Row>(rejectionsAt(places))) {
      const rejection = { lane, number: Number(number), digest, isRejectedAgain: Number(again) === 1 };
      known.set(recordPlaceOf({ ...place, offset: Number(place.offset) }), rejection);
    }
  }
  return known;
}

const REVERSED = "SELECT recycling FROM corrections WHERE kind = 'head' AND recycling > 0";

function rejectionsAt(places: string): string {
  const claims =
    'SELECT topic, partition, offset, max(number) AS last, argMax(records_digest, number) AS digest FROM ' +
    '(SELECT topic, partition, offset, number, records_digest FROM recyclings ' +
    `WHERE (topic, partition, offset) IN (${places}) ` +
    `AND number NOT IN (${REVERSED})) GROUP BY topic, partition, offset`;
  // A record of a reversed recycling is rejected in its first place.
  const isOfReversed = `startsWith(topic, '${RECYCLED}') AND toUInt64OrZero(splitByChar('/', toString(topic))[2]) IN (${REVERSED})`;
  return (
    'SELECT lane, topic, partition, offset, claimed.last AS number, claimed.digest AS digest, ' +
    `claimed.last > 0 AND (concat('${RECYCLED}', toString(claimed.last), '/', topic), partition, offset) IN ` +
    `(SELECT topic, partition, offset FROM journal WHERE kind = 'rejection' AND startsWith(topic, '${RECYCLED}')) AS again ` +
    "FROM (SELECT lane, topic, partition, offset FROM journal WHERE kind = 'rejection' " +
    `AND (topic, partition, offset) IN (${places}) AND NOT (${isOfReversed})) AS rejected LEFT JOIN (${claims}) AS claimed USING (topic, partition, offset)`
  );
}
