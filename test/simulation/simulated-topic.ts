import { LogRecord, type LogRecordParts } from '../../src/platform/kafka/log-record.ts';
import type { LogBounds } from '../../src/sources/source.ts';

export interface FetchedBatch {
  records: readonly LogRecord[];
  /** Includes the offsets after the last record without a record: control records, and compacted ones. */
  lastOffset: number;
  highWatermark: number;
}

interface Log {
  records: LogRecord[];
  startOffset: number;
  endOffset: number;
}

/**
 * The topic of flow records, with its whole history. `incarnation` counts its creations: the journal books the second one as
 * `topic~2`.
 */
export class SimulatedTopic {
  readonly name: string;
  readonly partitions: number;
  incarnation = 1;
  /** Every record that ever existed, by its booked name, `topic-partition`. */
  readonly history = new Map<string, LogRecord[]>();
  /** First offset that retention has not deleted, by the same name. */
  readonly deletedBelow = new Map<string, number>();
  #logs: Log[];

  constructor(name: string, partitions: number) {
    this.name = name;
    this.partitions = partitions;
    this.#logs = emptyLogs(partitions);
  }

  /** Returns the name under which the journal books the current topic. */
  get bookedName(): string {
    return this.incarnation === 1 ? this.name : `${this.name}~${this.incarnation}`;
  }

  /** Appends a record after `hole` offsets without a record. */
  append(partition: number, record: Omit<LogRecordParts, 'offset'>, hole: number): void {
    const log = this.#logs[partition];
    const stored = LogRecord.of({ ...record, offset: log.endOffset + hole });
    log.records.push(stored);
    log.endOffset = stored.offset + 1;
    const key = `${this.bookedName}-${partition}`;
    const history = this.history.get(key) ?? [];
    history.push(stored);
    this.history.set(key, history);
  }

  /** Appends offsets without a record to the end of a log. */
  appendHole(partition: number, offsets: number): void {
    this.#logs[partition].endOffset += offsets;
  }

  bounds(): Map<number, LogBounds> {
    return new Map(this.#logs.map(({ startOffset, endOffset }, partition) => [partition, { startOffset, endOffset }]));
  }

  lastRecordOffset(partition: number): number {
    return this.#logs[partition].records.at(-1)?.offset ?? -1;
  }

  /**
   * Returns at most so many records from an offset on; null when there are none. An offset that the log does not have is
   * answered from the log's start, as by a consumer that resets to the earliest.
   */
  fetch(partition: number, offset: number, most: number): FetchedBatch | null {
    const { records, startOffset, endOffset } = this.#logs[partition];
    const from = offset < startOffset || offset > endOffset ? startOffset : offset;
    const first = records.findIndex((record) => record.offset >= from);
    if (first < 0) return null;
    const fetched = records.slice(first, first + most);
    const next = records[first + most]?.offset ?? endOffset;
    return { records: fetched, lastOffset: next - 1, highWatermark: endOffset };
  }

  /** Deletes all below an offset. */
  retain(partition: number, fromOffset: number): void {
    const log = this.#logs[partition];
    log.startOffset = Math.min(Math.max(log.startOffset, fromOffset), log.endOffset);
    log.records = log.records.filter(({ offset }) => offset >= log.startOffset);
    this.deletedBelow.set(`${this.bookedName}-${partition}`, log.startOffset);
  }

  /** Deletes the topic and recreates it, empty. */
  recreate(): void {
    this.incarnation++;
    this.#logs = emptyLogs(this.partitions);
  }
}

function emptyLogs(partitions: number): Log[] {
  return Array.from({ length: partitions }, () => ({ records: [], startOffset: 0, endOffset: 0 }));
}
