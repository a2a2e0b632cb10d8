import type { BatchRow } from '../../journal/evidence/evidence.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { CorrectionTerms } from './second-rerating.ts';

/** A correction of a sponsor's charges, as its head row has it. */
export interface AuditedCorrection extends CorrectionTerms {
  number: number;
  catalogueHash: string;
  /** The records were read again from their source, also those without a charge. */
  isFromSource: boolean;
  /** The last place of each lane that it surely saw. */
  ends: ReadonlyMap<string, LanePlace>;
  /** By lane, the first batch that it read again. */
  firstRead: ReadonlyMap<string, number>;
  /** It says how far the journal had come in each lane. */
  knowsEnds: boolean;
}

/** A place in a lane: the offset of a record in a batch, or Infinity for the whole of it. */
export interface LanePlace {
  laneSequence: number;
  offset: number;
}

interface Head {
  number: number;
  hash: string;
  sponsor: string;
  money: string;
  from_day: number;
  to_day: number;
  logs: [topic: string, partition: string, first: string, last: string][];
  through: [lane: string, sequence: string][];
}

/** Reads the corrections that rated charges again; those that reverse a recycling charge nothing. Rejects with a StoreError. */
export async function readAuditedCorrections(store: Store, batches: readonly BatchRow[]): Promise<AuditedCorrection[]> {
  const heads = await store.query<Head>(
    'SELECT number, toString(catalogue_hash) AS hash, toString(sponsor_id) AS sponsor, toString(currency) AS money, ' +
      'toUInt16(period_from) AS from_day, toUInt16(period_to) AS to_day, ' +
      'arrayMap(log -> [log.2, toString(log.3), toString(log.4), toString(log.5)], read_logs) AS logs, ' +
      'arrayMap(lane -> [lane.1, toString(lane.2)], read_through) AS through ' +
      "FROM corrections WHERE kind = 'head' AND recycling = 0 ORDER BY number",
  );
  if (heads.length === 0) return [];
  const lastRows = await readLastRows(store);
  const batchAt = batchFinder(batches);
  return heads.map(({ number, hash, sponsor, money, from_day, to_day, logs, through }) => {
    const ends = new Map<string, LanePlace>();
    const firstRead = new Map<string, number>();
    for (const [lane, sequence] of through) raise(ends, lane, { laneSequence: Number(sequence), offset: WHOLE });
    for (const [topic, partition, first, last] of logs) {
      const [begin, end] = [first, last].map((offset) => batchAt(topic, Number(partition), Number(offset)));
      if (end !== undefined) raise(ends, end.lane, { laneSequence: end.numbers.lane_sequence, offset: WHOLE });
      if (begin === undefined) continue;
      const { lane, numbers } = begin;
      firstRead.set(lane, Math.min(firstRead.get(lane) ?? WHOLE, numbers.lane_sequence));
    }
    for (const { topic, partition, last } of lastRows.get(Number(number)) ?? []) {
      const batch = batchAt(topic, partition, last);
      if (batch !== undefined) raise(ends, batch.lane, { laneSequence: batch.numbers.lane_sequence, offset: last });
    }
    return {
      number: Number(number),
      catalogueHash: hash,
      sponsorId: sponsor,
      currency: money,
      fromDay: Number(from_day),
      toDay: Number(to_day),
      isFromSource: logs.length > 0,
      ends,
      firstRead,
      knowsEnds: through.length > 0,
    };
  });
}

/** Returns a kept catalogue's canonical JSON; null: the store has none of this hash. Rejects with a StoreError. */
export async function readKeptCatalogue(store: Store, hash: string): Promise<string | null> {
  const sql = `SELECT document FROM catalogues WHERE hash = ${literal(hash)} LIMIT 1`;
  return (await store.query<{ document: string }>(sql))[0]?.document ?? null;
}

const WHOLE = Number.POSITIVE_INFINITY;

/** Whether a place is after another one of the same lane. */
export function isAfter(a: LanePlace, b: LanePlace): boolean {
  return a.laneSequence > b.laneSequence || (a.laneSequence === b.laneSequence && a.offset > b.offset);
}

function raise(ends: Map<string, LanePlace>, lane: string, place: LanePlace): void {
  const known = ends.get(lane);
  if (known === undefined || isAfter(place, known)) ends.set(lane, place);
}

type LastRow = { topic: string; partition: number; last: number };

/** Returns the last row of each correction in each log. */
async function readLastRows(store: Store): Promise<Map<number, LastRow[]>> {
  const rows = await store.query<{ number: number; topic: string; partition: number; last: string }>(
    'SELECT number, toString(topic) AS topic, partition, toString(max(offset)) AS last FROM corrections ' +
      "WHERE kind != 'head' GROUP BY number, topic, partition",
  );
  const byNumber = new Map<number, LastRow[]>();
  for (const { number, topic, partition, last } of rows) {
    const ofNumber = byNumber.get(Number(number)) ?? [];
    ofNumber.push({ topic, partition: Number(partition), last: Number(last) });
    byNumber.set(Number(number), ofNumber);
  }
  return byNumber;
}

/** Returns what finds the batch of a record. */
function batchFinder(batches: readonly BatchRow[]) {
  const byLog = new Map<string, BatchRow[]>();
  for (const batch of batches) {
    if (batch.gapReason !== '') continue;
    const key = `${batch.partition} ${batch.topic}`;
    const ofLog = byLog.get(key) ?? [];
    ofLog.push(batch);
    byLog.set(key, ofLog);
  }
  return (topic: string, partition: number, offset: number): BatchRow | undefined => {
    const ofLog = byLog.get(`${partition} ${topic}`) ?? [];
    // The batches of a log come in the order of their offsets.
    let [from, to] = [0, ofLog.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (ofLog[middle].lastOffset < offset) from = middle + 1;
      else to = middle;
    }
    const found = ofLog[from];
    return found !== undefined && found.numbers.first_offset <= offset ? found : undefined;
  };
}
