import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { removeUnfinishedRewrites, rewriteLmdb } from '../../platform/rewrite-lmdb.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';

/** A record as it is before the spool gives it its numbers. */
export type RecordDraft = Omit<FlowRecord, 'nodeId' | 'localSequenceNumber' | 'recordSequenceNumber'>;

/** A bearer as it outlives the process. */
export interface StoredBearer {
  bearerId: string;
  msisdn: string;
  imsi: string | null;
  terminalIp: string;
  chargingId: number;
  nextRecordSequenceNumber: number;
}

interface Numbers {
  nodeId: string;
  nextLocalSequenceNumber: number;
  nextChargingId: number;
}

const NUMBERS = 'numbers';
const DATABASES = ['records', 'bearers', 'state'] as const;

/** A spool that another gateway has written to: its numbers are that one's. */
class SpoolError extends Error {
  readonly code = 'spool_of_another_node';
  readonly canRetry = false;
}

/**
 * Flow records that Kafka has not acknowledged yet, with the numbers and the bearers that must outlive the process. A record and the
 * numbers that it used are written in one transaction, and no record is sent before it is on disk: so a number is never used
 * for two records, however the process ends.
 */
export class RecordSpool {
  readonly #root: RootDatabase;
  readonly #records: Database<FlowRecord, number>;
  readonly #bearers: Database<StoredBearer, string>;
  readonly #state: Database<Numbers, string>;
  readonly #numbers: Numbers;
  #unwritten = 0;

  private constructor(directory: string, nodeId: string) {
    // The records and bearers name subscribers and their addresses; a directory of an earlier version is restricted, too.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    this.#root = open({ path: directory, maxDbs: DATABASES.length });
    this.#records = this.#root.openDB('records', { encoding: 'json' });
    this.#bearers = this.#root.openDB('bearers', { encoding: 'json' });
    this.#state = this.#root.openDB('state', { encoding: 'json' });
    this.#numbers = this.#state.get(NUMBERS) ?? { nodeId, nextLocalSequenceNumber: 1, nextChargingId: 1 };
  }

  /** Throws a SpoolError when the directory is of another node. */
  static open(directory: string, nodeId: string): RecordSpool {
    const spool = new RecordSpool(directory, nodeId);
    const of = spool.#numbers.nodeId;
    if (of === nodeId) return spool;
    void spool.close();
    throw new SpoolError(`${directory}: is the spool of the node "${of}"; give "${nodeId}" a directory of its own`);
  }

  /** Writes the data file of a directory that no process has open without what was removed from it. */
  static async compact(directory: string): Promise<void> {
    if (!existsSync(join(directory, 'data.mdb'))) return;
    removeUnfinishedRewrites(directory);
    const before = open({ path: directory, maxDbs: DATABASES.length });
    const after = await rewriteLmdb(before, { directory, names: DATABASES, encoding: 'json' });
    await before.close();
    await after.close();
  }

  /** How many records wait, those included that are on their way to the disk. */
  get size(): number {
    return this.#records.getCount() + this.#unwritten;
  }

  bearers(): StoredBearer[] {
    return [...this.#bearers.getRange()].map(({ value }) => value);
  }

  takeChargingId(): number {
    const chargingId = this.#numbers.nextChargingId++;
    void this.#state.put(NUMBERS, { ...this.#numbers });
    return chargingId;
  }

  putBearer(bearer: StoredBearer): void {
    void this.#bearers.put(bearer.bearerId, { ...bearer });
  }

  removeBearer(bearerId: string): void {
    void this.#bearers.remove(bearerId);
  }

  /** Gives the record its numbers. What is written in one turn of the event loop is in one transaction. */
  append(draft: RecordDraft, bearer: StoredBearer): void {
    const record: FlowRecord = {
      ...draft,
      nodeId: this.#numbers.nodeId,
      localSequenceNumber: this.#numbers.nextLocalSequenceNumber++,
      recordSequenceNumber: bearer.nextRecordSequenceNumber++,
    };
    this.#unwritten++;
    void this.#records.put(record.localSequenceNumber, record).finally(() => this.#unwritten--);
    void this.#state.put(NUMBERS, { ...this.#numbers });
    this.putBearer(bearer);
  }

  /** Waits until all that was appended is on disk, then reads the oldest records. */
  async oldest(limit: number): Promise<FlowRecord[]> {
    await this.#root.flushed;
    return [...this.#records.getRange({ limit })].map(({ value }) => value);
  }

  async remove(records: readonly FlowRecord[]): Promise<void> {
    await Promise.all(records.map(({ localSequenceNumber }) => this.#records.remove(localSequenceNumber)));
  }

  async close(): Promise<void> {
    await this.#root.flushed;
    await this.#root.close();
  }
}
