import { recycledTopic, type TopicPartition } from '../billing/topic-partition.ts';
import { TIME } from '../journal/journal-block.ts';
import { fixedColumn, int64Column, stringColumn } from '../platform/native-block.ts';
import { literal, type Store } from '../platform/store.ts';
import { bookFact, lastNumber } from './book-fact.ts';
import { type CorrectedRecord, digestOf, type LineFault, placeOf } from './corrected-records.ts';

/** Places that one query is asked about at once. */
const PLACES_A_QUERY = 1000;

/** The mended records of one log, and the log that they are booked under. */
export interface RecycledLog {
  log: TopicPartition;
  records: readonly CorrectedRecord[];
}

export interface Recycling {
  number: number;
  /** False: it stood before, with the same records. */
  isNew: boolean;
  logs: RecycledLog[];
}

export interface RecyclingRequest {
  records: readonly CorrectedRecord[];
  who: string;
  why: string;
  nowMs: number;
  /** The lane that the caller may book in, of a partition's records: it publishes the quota updates of these only. */
  laneOf: (partition: number) => string;
}

/** A rejection as the store knows it. */
interface KnownRejection {
  lane: string;
  /** Of the recycling that it stands in; 0: of none. */
  number: number;
  digest: string;
}

/**
 * Books that these rejections are recycled with these records, once: what was rejected nowhere, and what another recycling
 * has, is a fault and nothing is booked. The same records once more are the same recycling. The records themselves are
 * booked after that, by an engine, log by log.
 */
export async function claimRecycling(
  store: Store,
  request: RecyclingRequest,
): Promise<{ recycling: Recycling; faults?: undefined } | { recycling?: undefined; faults: LineFault[] }> {
  const { records } = request;
  const digest = digestOf(records);
  for (;;) {
    // Read before the rejections are: whoever recycles one of them after that outruns this writer.
    const number = (await lastNumber(store, 'recyclings')) + 1;
    const known = await knownRejections(store, records);
    const standing = known.get(placeOf(records[0]));
    const faults = records.flatMap((record) => faultOf(record, known.get(placeOf(record)), digest, request));
    if (faults.length > 0) return { faults };
    const lanes = new Map([...known].map(([place, { lane }]) => [place, lane]));
    if (standing !== undefined && standing.number > 0) {
      return { recycling: { number: standing.number, isNew: false, logs: logsOf(standing.number, records, lanes) } };
    }
    if ((await bookRecycling(store, number, digest, request)) === 'booked') {
      return { recycling: { number, isNew: true, logs: logsOf(number, records, lanes) } };
    }
  }
}

function faultOf(
  record: CorrectedRecord,
  known: KnownRejection | undefined,
  digest: string,
  { laneOf }: RecyclingRequest,
): LineFault[] {
  const fault = (message: string) => [{ line: record.line, message: `${placeOf(record)}: ${message}` }];
  if (known === undefined) return fault('no record was rejected there');
  if (known.lane !== laneOf(record.partition)) {
    return fault(`was rejected in lane ${known.lane}: name the configuration that reads it with --config`);
  }
  if (known.number === 0 || known.digest === digest) return [];
  return fault(`was recycled already, among other records or with another content, as recycling ${known.number}`);
}

async function knownRejections(
  store: Store,
  records: readonly CorrectedRecord[],
): Promise<Map<string, KnownRejection>> {
  const known = new Map<string, KnownRejection>();
  for (let at = 0; at < records.length; at += PLACES_A_QUERY) {
    const places = records
      .slice(at, at + PLACES_A_QUERY)
      .map(({ topic, partition, offset }) => `(${literal(topic)}, ${partition}, ${offset})`)
      .join(', ');
    const rows = await store.query<{ topic: string; partition: number; offset: number } & KnownRejection>(
      'SELECT lane, topic, partition, offset, claimed.number AS number, claimed.records_digest AS digest ' +
        "FROM (SELECT lane, topic, partition, offset FROM journal WHERE kind = 'rejection' " +
        `AND (topic, partition, offset) IN (${places})) AS rejected ` +
        `LEFT JOIN (SELECT * FROM recyclings WHERE (topic, partition, offset) IN (${places})) AS claimed ` +
        'USING (topic, partition, offset)',
    );
    for (const { lane, number, digest, ...place } of rows) {
      const offset = Number(place.offset);
      known.set(placeOf({ ...place, offset }), { lane, number: Number(number), digest });
    }
  }
  return known;
}

function bookRecycling(
  store: Store,
  number: number,
  digest: string,
  { records, who, why, nowMs }: RecyclingRequest,
): Promise<'booked' | 'outrun'> {
  const rows = records.length;
  const same = <T>(value: T) => Array<T>(rows).fill(value);
  const columns = [
    int64Column('number', 'UInt64', new Float64Array(rows).fill(number)),
    stringColumn(
      'topic',
      records.map(({ topic }) => topic),
    ),
    fixedColumn(
      'partition',
      'Int32',
      Int32Array.from(records, ({ partition }) => partition),
    ),
    int64Column(
      'offset',
      'Int64',
      Float64Array.from(records, ({ offset }) => offset),
    ),
    int64Column('claimed_at', TIME, new Float64Array(rows).fill(nowMs)),
    stringColumn('who', same(who)),
    stringColumn('why', same(why)),
    stringColumn('records_digest', same(digest)),
  ];
  const isOurs = async () => {
    const sql = `SELECT records_digest AS standing FROM recyclings WHERE number = ${number} LIMIT 1`;
    return (await store.query<{ standing: string }>(sql))[0]?.standing === digest;
  };
  return bookFact(store, { table: 'recyclings', number, columns, rows, isOurs });
}

/** The records are in the order of their places, so those of one log stand together. */
function logsOf(
  number: number,
  records: readonly CorrectedRecord[],
  lanes: ReadonlyMap<string, string>,
): RecycledLog[] {
  const logs: { log: TopicPartition; records: CorrectedRecord[] }[] = [];
  for (const record of records) {
    const topic = recycledTopic(number, record.topic);
    const { partition } = record;
    const last = logs.at(-1);
    if (last?.log.topic === topic && last.log.partition === partition) last.records.push(record);
    else logs.push({ log: { topic, partition, lane: lanes.get(placeOf(record)) ?? '' }, records: [record] });
  }
  return logs;
}
