import { TIME } from '../../journal/journal-block.ts';
import { fixedColumn, int64Column, stringColumn } from '../../platform/clickhouse/native-block.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { recycledTopic, type TopicPartition } from '../../rating/lane.ts';
import { bookFact, lastNumber } from '../book-fact.ts';
import {
  byPlace,
  type CorrectedRecord,
  correctedRecordsDigest,
  type LineFault,
  recordPlaceOf,
} from './corrected-records.ts';
import { type KnownRejection, readRejections } from './known-rejections.ts';

/** The corrected records of one log, and the log that they are booked under. */
export interface RecycledLog {
  log: TopicPartition;
  records: readonly CorrectedRecord[];
}

export interface Recycling {
  number: number;
  logs: RecycledLog[];
}

/** A planned recycling of records: nothing of it is booked yet. */
export interface RecyclingPlan {
  /** Recyclings that claimed exactly these records before; they are booked already, or were interrupted. */
  known: Recycling[];
  /** The recycling that would claim the other records; null: there are none. */
  next: (Recycling & { records: readonly CorrectedRecord[] }) | null;
}

export interface RecyclingRequest {
  records: readonly CorrectedRecord[];
  /**
   * Returns the lane of a partition's records in which the caller may book: it publishes the quota updates of these only.
   */
  laneOf: (partition: number) => string;
}

export interface RecyclingClaim {
  who: string;
  why: string;
  nowMs: number;
}

/** A record and its rejection in the store. */
interface Resolved {
  record: CorrectedRecord;
  known: KnownRejection;
}

type PlannedRecycling = { plan: RecyclingPlan; faults?: undefined } | { plan?: undefined; faults: LineFault[] };

/**
 * Returns the recycling of each corrected record. A record whose rejection was recycled and rejected again corrects the
 * later rejection, so the same file can be submitted again. A rejection whose recycling was reversed can be recycled again.
 * A record without a rejection, and one that another recycling has with other content, is a fault.
 */
export async function planRecycling(store: Store, request: RecyclingRequest): Promise<PlannedRecycling> {
  // Read before the rejections: a recycling of one of them after that takes this number.
  const number = (await lastNumber(store, 'recyclings')) + 1;
  const open: Resolved[] = [];
  const known: Recycling[] = [];
  const faults: LineFault[] = [];
  for (let records = request.records; records.length > 0; ) {
    const rejections = await readRejections(store, records);
    const claimed = new Map<number, Resolved[]>();
    const again: CorrectedRecord[] = [];
    for (const record of records) {
      const rejection = rejections.get(recordPlaceOf(record));
      if (rejection === undefined || rejection.lane !== request.laneOf(record.partition)) {
        faults.push(placeFault(record, rejection));
        continue;
      }
      if (rejection.number === 0) {
        open.push({ record, known: rejection });
        continue;
      }
      claimed.set(rejection.number, [...(claimed.get(rejection.number) ?? []), { record, known: rejection }]);
      if (rejection.isRejectedAgain) again.push({ ...record, topic: recycledTopic(rejection.number, record.topic) });
    }
    for (const [of, resolved] of claimed) {
      if (resolved[0].known.digest === correctedRecordsDigest(resolved.map(({ record }) => record))) {
        known.push({ number: of, logs: logsOf(of, resolved) });
      } else
        faults.push(
          ...resolved.filter(({ known }) => !known.isRejectedAgain).map(({ record }) => claimedFault(record, of)),
        );
    }
    records = again;
  }
  if (faults.length > 0) return { faults: faults.sort((a, b) => a.line - b.line) };
  known.sort((a, b) => a.number - b.number);
  if (open.length === 0) return { plan: { known, next: null } };
  open.sort((a, b) => byPlace(a.record, b.record));
  return { plan: { known, next: { number, logs: logsOf(number, open), records: open.map(({ record }) => record) } } };
}

/**
 * Books the claim of a plan's next recycling, once. `fenced`: another recycling has the number, and may have the rejections,
 * so plan again. The records themselves are booked after that, by an engine, log by log.
 */
export function claimRecycling(
  store: Store,
  { number, records }: NonNullable<RecyclingPlan['next']>,
  { who, why, nowMs }: RecyclingClaim,
): Promise<'booked' | 'fenced'> {
  const digest = correctedRecordsDigest(records);
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
    const sql = `SELECT records_digest AS claimed FROM recyclings WHERE number = ${number} LIMIT 1`;
    return (await store.query<{ claimed: string }>(sql))[0]?.claimed === digest;
  };
  return bookFact(store, { table: 'recyclings', number, columns, rows, isOurs });
}

function placeFault(record: CorrectedRecord, known: KnownRejection | undefined): LineFault {
  return {
    line: record.line,
    message:
      known === undefined
        ? `${recordPlaceOf(record)}: no record was rejected there`
        : `${recordPlaceOf(record)}: was rejected in lane ${known.lane}: name the configuration that reads it with --config`,
  };
}

function claimedFault(record: CorrectedRecord, number: number): LineFault {
  return {
    line: record.line,
    message:
      `${recordPlaceOf(record)}: was recycled already, among other records or with other content, as recycling ${number}: ` +
      `leave it out, or reverse that one with \`rejections reverse ${number}\``,
  };
}

/** Groups records by log. They are in the order of their places, so those of one log follow each other. */
function logsOf(number: number, resolved: readonly Resolved[]): RecycledLog[] {
  const logs: { log: TopicPartition; records: CorrectedRecord[] }[] = [];
  for (const { record, known } of resolved) {
    const topic = recycledTopic(number, record.topic);
    const { partition } = record;
    const last = logs.at(-1);
    if (last?.log.topic === topic && last.log.partition === partition) last.records.push(record);
    else logs.push({ log: { topic, partition, lane: known.lane }, records: [record] });
  }
  return logs;
}
