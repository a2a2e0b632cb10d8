import type { Store } from '../../platform/clickhouse/store.ts';
import { isNumbered } from '../../rating/record/content-numbering.ts';
import { LogGrowth } from './log-growth.ts';

/** A node counts to 4294967295 and restarts (TS 32.298). */
const NUMBERS = 2 ** 32;
const HALF = 2 ** 31;

/** The numbers that arrived of a node: how many, and where they begin and end in the lower and the upper half. */
interface Arrived {
  records: number;
  low: Range;
  high: Range;
}

interface Range {
  first: number;
  last: number;
}

interface Row {
  node: string;
  records: number;
  low_records: number;
  low_first: number;
  low_last: number;
  high_records: number;
  high_first: number;
  high_last: number;
}

/**
 * Counts the sequence numbers that no readable record has, between two of their node that arrived. It counts what the view
 * `sequence_gaps` lists, from what was booked since the last look. A record in flight in another partition counts as missing
 * until it is booked. A duplicate record whose identity was forgotten hides one that is missing.
 */
export class MissingNumbers {
  readonly #store: Store;
  readonly #growth: LogGrowth;
  readonly #nodes = new Map<string, Arrived>();

  constructor(store: Store) {
    this.#store = store;
    this.#growth = new LogGrowth(store);
  }

  /**
   * Returns the sum over all nodes. The first look reads every identity, later ones only new ones. Rejects with a
   * StoreError.
   */
  async look(): Promise<number> {
    await this.#growth.readOn(async (isNew) => {
      for (const row of await this.#store.query<Row>(arrivedSql(isNew))) this.#add(row);
    });
    return [...this.#nodes.values()].reduce((sum, arrived) => sum + missingOf(arrived), 0);
  }

  #add(row: Row): void {
    const before = this.#nodes.get(row.node) ?? { records: 0, low: NOTHING, high: NOTHING };
    this.#nodes.set(row.node, {
      records: before.records + Number(row.records),
      low: Number(row.low_records) === 0 ? before.low : joined(before.low, row.low_first, row.low_last),
      high: Number(row.high_records) === 0 ? before.high : joined(before.high, row.high_first, row.high_last),
    });
  }
}

const NOTHING: Range = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };

function joined({ first, last }: Range, from: number, to: number): Range {
  return { first: Math.min(first, Number(from)), last: Math.max(last, Number(to)) };
}

function missingOf({ records, low, high }: Arrived): number {
  const [lowest, highest] = [Math.min(low.first, high.first), Math.max(low.last, high.last)];
  const hasRestarted = highest - lowest > HALF && highest < NUMBERS && low.last - (high.first - NUMBERS) < HALF;
  const places = hasRestarted ? low.last - (high.first - NUMBERS) + 1 : highest - lowest + 1;
  return Math.max(0, places - records);
}

/**
 * Selects records that were neither rejected nor duplicates, and rejected ones that can be read, without those read before.
 */
function arrivedSql(isNew: string): string {
  const half = (condition: string, name: string) =>
    `countIf(${condition}) AS ${name}_records, minIf(number, ${condition}) AS ${name}_first, maxIf(number, ${condition}) AS ${name}_last`;
  const [node, number] = ["JSONExtractString(payload, 'nodeId')", "JSONExtractInt(payload, 'localSequenceNumber')"];
  const isReadable = "JSONType(payload, 'nodeId') = 'String' AND JSONType(payload, 'localSequenceNumber') = 'Int64'";
  return (
    `SELECT node, count() AS records, ${half(`number < ${HALF}`, 'low')}, ${half(`number >= ${HALF}`, 'high')} FROM (` +
    'SELECT seen_nodes[identity.node + 1] AS node, identity.sequence AS number FROM journal ARRAY JOIN seen AS identity ' +
    `WHERE kind = 'batch' AND ${isNew} UNION ALL ` +
    `SELECT ${node} AS node, ${number} AS number FROM journal ` +
    `WHERE kind = 'rejection' AND reason != 'conflicting_duplicate' AND ${isReadable} AND ${isNew}) WHERE ${isNumbered('node')} GROUP BY node`
  );
}
