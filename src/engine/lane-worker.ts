import { admit, type Door } from '../billing/admit.ts';
import { type BatchSummary, summarise } from '../billing/batch-summary.ts';
import type { Decoder } from '../billing/decoder.ts';
import { deriveQuotaUpdates } from '../billing/derive-quota-updates.ts';
import { FlowBatch } from '../billing/flow-batch.ts';
import { classifyBatch, earliestPeriodStart, rateBatch } from '../billing/pipeline.ts';
import { rejectedPayload } from '../billing/rejected-payload.ts';
import type { Rules } from '../billing/rules.ts';
import { StoreError } from '../platform/store-error.ts';
import { type JournalBlock, journalBlock } from './journal-block.ts';
import type { JournalReader } from './journal-reader.ts';
import type { Clock } from './journal-writer.ts';
import type { LogBounds, QuotaPublisher, RawRecord, TopicPartition } from './ports.ts';
import { lastQuotaUpdates, loadCounters, nextOffset, type RecoveredLane, recoverLane } from './recovery.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** One more record of the largest kind stays below 2^53, so that the batch's sums are exact. */
const MAX_USAGE_OCTETS = 2 ** 52;
/** The last day that a ClickHouse Date can name. */
const LAST_DATE = 65535;
/** Counters of periods that began this many days ago and later are in memory; older ones are read when a record needs them. */
const OPEN_DAYS = 40;
/** After so many days the lane is read anew, which lets go of the counters of periods that have ended. */
const REFRESH_DAYS = 7;

export interface WorkerSettings {
  maxRecords: number;
  maxOctets: number;
  maxDelayMs: number;
  rejectionPayloadOctets: number;
  duplicateWindowRecords: number;
  pseudonymKey: Uint8Array;
}

export interface BookedBatch {
  log: TopicPartition;
  block: JournalBlock;
  summary: BatchSummary;
}

/** What a worker works with: everything outside of memory is behind one of these. */
export interface WorkerPorts {
  reader: JournalReader;
  book: (block: JournalBlock) => Promise<void>;
  publisher: QuotaPublisher;
  /** The rules for the next batch. */
  rules: () => Promise<Rules>;
  clock: Clock;
  /** Called after a batch was booked and its quota updates were published. */
  onBooked: (booked: BookedBatch) => void;
  /** Called when a batch that nobody waits for failed. */
  onFailure: (error: unknown) => void;
}

interface OpenBatch {
  log: TopicPartition;
  batch: FlowBatch;
  rules: Rules;
  door: Door;
  bookingDay: number;
}

/**
 * Books the records of one lane, batch after batch. Its memory is a copy of the journal: after any failure it is thrown
 * away and read back. Calls wait for each other, so a batch is never touched by two of them.
 */
export class LaneWorker {
  readonly #name: string;
  readonly #ports: WorkerPorts;
  readonly #settings: WorkerSettings;
  #state: (RecoveredLane & { recoveredDay: number }) | null = null;
  readonly #cursors = new Map<string, number>();
  #open: OpenBatch | null = null;
  /** A booked batch's columns, cleared: megabytes that a small batch need not ask for again. */
  #spare: FlowBatch | null = null;
  #linger: NodeJS.Timeout | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(name: string, ports: WorkerPorts, settings: WorkerSettings) {
    this.#name = name;
    this.#ports = ports;
    this.#settings = settings;
  }

  assign(log: TopicPartition, bounds: LogBounds | null): Promise<number> {
    return this.#inTurn(async () => {
      // Another process may have booked in this lane since: then the copy in memory is of no use.
      const head = await this.#ports.reader.head(this.#name);
      if (this.#state?.head.sequence !== head.sequence) this.#state = null;
      const cursor = await this.#ports.reader.cursor(log);
      const next = nextOffset(log, cursor, bounds);
      await this.#recovered();
      this.#cursors.set(nameOf(log), cursor);
      return next;
    });
  }

  deliver(log: TopicPartition, records: readonly RawRecord[], decode: Decoder): Promise<void> {
    return this.#inTurn(async () => {
      let { lane } = await this.#recovered();
      for (const record of records) {
        const open = this.#open ?? (await this.#begin(log, record, decode));
        this.#assertInOrder(open, log, record);
        admit(open.batch, record, open.door, lane, open.rules);
        if (!this.#isFull(open.batch)) continue;
        await this.#bookOpen();
        lane = (await this.#recovered()).lane;
      }
      if (this.#open !== null) this.#armLinger();
    });
  }

  flush(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      this.#cursorOf(log);
      await this.#bookOpen();
    });
  }

  /** Forgets what is not booked of a log. What is booked stays, for the next log of the lane or the next assignment. */
  release(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open !== null && nameOf(this.#open.log) === nameOf(log)) this.#forget();
      this.#cursors.delete(nameOf(log));
    });
  }

  async #begin(log: TopicPartition, first: RawRecord, decode: Decoder): Promise<OpenBatch> {
    const rules = await this.#ports.rules();
    const door = { decode, keyedByMsisdn: first.timestampMs !== null };
    const batch = this.#spare ?? new FlowBatch(this.#settings.maxRecords);
    this.#spare = null;
    this.#open = { log, batch, rules, door, bookingDay: this.#bookingDay(first) };
    return this.#open;
  }

  /**
   * The day of the first record's Kafka timestamp, not of the clock: two writers that race from one cursor have the same
   * first record, so they meet in one ClickHouse partition. Files, and Kafka records without a timestamp: today.
   */
  #bookingDay({ timestampMs }: RawRecord): number {
    const day = timestampMs === null || timestampMs < 0 ? this.#today() : Math.floor(timestampMs / DAY_MS);
    return Math.min(day, LAST_DATE);
  }

  /** A log that is not assigned has lost what was buffered of it: going on would skip records. */
  #cursorOf(log: TopicPartition): number {
    const cursor = this.#cursors.get(nameOf(log));
    if (cursor !== undefined) return cursor;
    throw new StoreError('batch_fenced', `${nameOf(log)} has to be assigned again`, { canRetry: true });
  }

  #assertInOrder({ log: openLog, batch }: OpenBatch, log: TopicPartition, { offset }: RawRecord): void {
    if (openLog.topic !== log.topic) throw new Error(`${nameOf(log)} came before ${nameOf(openLog)} was flushed`);
    const last = batch.count > 0 ? batch.offset[batch.count - 1] : this.#cursorOf(log);
    if (offset <= last) throw new Error(`${nameOf(log)}: record ${offset} came after ${last}`);
  }

  #isFull(batch: FlowBatch): boolean {
    const { maxOctets } = this.#settings;
    return batch.count === batch.capacity || batch.readOctets >= maxOctets || batch.usageOctets >= MAX_USAGE_OCTETS;
  }

  async #bookOpen(): Promise<void> {
    this.#disarmLinger();
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const { log, batch, rules, door, bookingDay } = open;
    const state = await this.#recovered();
    const { lane } = state;

    const place = {
      log,
      bookingDay,
      prev: this.#cursorOf(log),
      laneSequence: state.head.sequence + 1,
      lanePosition: lane.position,
    };
    classifyBatch(batch, lane, rules);
    await this.#reachBackTo(state, earliestPeriodStart(batch));
    rateBatch(batch, lane, rules);
    const { pseudonymKey, rejectionPayloadOctets } = this.#settings;
    const payloadOf = (row: number) =>
      rejectedPayload(batch.values[row], door.decode, pseudonymKey, rejectionPayloadOctets);
    const summary = summarise(batch);
    const block = journalBlock(batch, payloadOf, summary, place, lane, rules);

    await this.#ports.book(block);
    state.head = { sequence: place.laneSequence, position: lane.position };
    this.#cursors.set(nameOf(log), block.lastOffset);
    await this.#ports.publisher.publish(deriveQuotaUpdates(batch, lane, rules.catalogue, log));
    this.#ports.onBooked({ log, block, summary });
    batch.clear();
    this.#spare = batch;
    if (this.#today() - state.recoveredDay >= REFRESH_DAYS) this.#state = null;
  }

  /** Late records count in periods whose counters may not be in memory. */
  async #reachBackTo(state: RecoveredLane, day: number): Promise<void> {
    if (day >= state.horizonDay) return;
    await loadCounters(this.#ports.reader, this.#name, state.lane, day, state.horizonDay);
    state.horizonDay = day;
  }

  async #recovered(): Promise<RecoveredLane & { recoveredDay: number }> {
    if (this.#state !== null) return this.#state;
    const { pseudonymKey, duplicateWindowRecords } = this.#settings;
    const recoveredDay = this.#today();
    const horizonDay = recoveredDay - OPEN_DAYS;
    const options = { pseudonymKey, duplicateWindowRecords, horizonDay };
    const state = { ...(await recoverLane(this.#ports.reader, this.#name, options)), recoveredDay };
    const { catalogue } = await this.#ports.rules();
    await this.#ports.publisher.publish(await lastQuotaUpdates(this.#ports.reader, this.#name, state, catalogue));
    this.#state = state;
    return state;
  }

  #today(): number {
    return Math.floor(this.#ports.clock.nowMs() / DAY_MS);
  }

  #forget(): void {
    this.#disarmLinger();
    this.#open = null;
    this.#state = null;
    this.#cursors.clear();
  }

  #armLinger(): void {
    this.#linger ??= setTimeout(() => {
      this.#linger = null;
      this.#inTurn(() => this.#bookOpen()).catch(this.#ports.onFailure);
    }, this.#settings.maxDelayMs);
  }

  #disarmLinger(): void {
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#linger = null;
  }

  /** After a failure nothing in memory is believed any more. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        return await work();
      } catch (error) {
        this.#forget();
        throw error;
      }
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
