import { admit } from '../billing/admit.ts';
import { type BatchSummary, summarise } from '../billing/batch-summary.ts';
import type { Decoder } from '../billing/decoder.ts';
import { deriveQuotaUpdates } from '../billing/derive-quota-updates.ts';
import { FlowBatch } from '../billing/flow-batch.ts';
import { classifyBatch, earliestPeriodStart, rateBatch } from '../billing/pipeline.ts';
import { rejectedPayload } from '../billing/rejected-payload.ts';
import type { Rules } from '../billing/rules.ts';
import type { TopicPartition } from '../billing/topic-partition.ts';
import { bookBlock, type RetryPolicy } from '../journal/book-block.ts';
import type { Journal } from '../journal/journal.ts';
import { type JournalBlock, journalBlock } from '../journal/journal-block.ts';
import type { Clock } from '../platform/clock.ts';
import { StoreError } from '../platform/store-error.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import type { AskBounds, RawRecord } from '../sources/source.ts';
import { LaneMemory } from './lane-memory.ts';
import { assertInOrder, bookingDayOf, DAY_MS, type HeldLog, isFull, nameOf, type OpenBatch } from './open-batch.ts';
import { lastQuotaUpdates, type RecoveredLane } from './recovery.ts';
import { bookedLog, type SourceGap, unaccepted, whereToGoOn } from './where-to-go-on.ts';

export interface WorkerSettings {
  maxRecords: number;
  maxOctets: number;
  maxDelayMs: number;
  rejectionPayloadOctets: number;
  duplicateWindowRecords: number;
  pseudonymKey: Uint8Array;
  /** Books what the source has lost as a fact and goes on, instead of halting. */
  acceptGaps: boolean;
}

export interface BookedBatch {
  block: JournalBlock;
  summary: BatchSummary;
}

/** What a worker works with: everything outside of memory is behind one of these. */
export interface WorkerPorts {
  journal: Journal;
  retry: RetryPolicy;
  publisher: QuotaPublisher;
  /** The rules for the next batch. */
  rules: () => Promise<Rules>;
  clock: Clock;
  /** Called after a batch was booked and its quota updates were published. */
  onBooked: (booked: BookedBatch) => void;
  /** Called after an accepted gap was booked. */
  onGap: (gap: SourceGap) => void;
  /** Called when a batch that nobody waits for failed: the log has to be assigned again. */
  onFailure: (log: TopicPartition, error: unknown) => void;
}

/**
 * Books the records of one lane, batch after batch. Its memory is a copy of the journal: after any failure it is thrown
 * away and read back. Calls wait for each other, so a batch is never touched by two of them.
 */
export class LaneWorker {
  readonly #name: string;
  readonly #ports: WorkerPorts;
  readonly #settings: WorkerSettings;
  readonly #memory: LaneMemory;
  readonly #held = new Map<string, HeldLog>();
  #open: OpenBatch | null = null;
  /** A booked batch's columns, cleared: megabytes that a small batch need not ask for again. */
  #spare: FlowBatch | null = null;
  /** Takes the timer back, while one runs. */
  #linger: (() => void) | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(name: string, ports: WorkerPorts, settings: WorkerSettings) {
    this.#name = name;
    this.#ports = ports;
    this.#settings = settings;
    this.#memory = new LaneMemory(name, ports.journal, settings);
  }

  assign(log: TopicPartition, bounds: AskBounds): Promise<number> {
    return this.#inTurn(async () => {
      // Before the journal is read: what another engine has booked and not published by now, this one publishes.
      await this.#ports.publisher.claim(this.#name);
      const { booked, cursor } = await this.#whereItStands(log);
      const next = whereToGoOn(booked, cursor, await bounds());
      const held = typeof next === 'number' ? { booked, cursor } : await this.#acceptGap(next, cursor);
      this.#held.set(nameOf(log), held);
      return typeof next === 'number' ? next : held.cursor + 1;
    });
  }

  deliver(log: TopicPartition, records: Iterable<RawRecord>, decode: Decoder): Promise<void> {
    return this.#inTurn(async () => {
      let { lane } = await this.#recovered();
      for (const record of records) {
        const open = this.#open ?? (await this.#begin(log, record, decode));
        assertInOrder(open, log, record);
        admit(open.batch, record, open.door, lane, open.rules);
        if (!isFull(open.batch, this.#settings.maxOctets)) continue;
        await this.#bookOpen();
        lane = (await this.#recovered()).lane;
      }
      if (this.#open !== null) this.#armLinger(log);
    });
  }

  flush(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      this.#heldLog(log);
      await this.#bookOpen();
    });
  }

  /** Forgets what is not booked of a log. What is booked stays, for the next log of the lane or the next assignment. */
  release(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open !== null && nameOf(this.#open.log) === nameOf(log)) this.#forget();
      this.#held.delete(nameOf(log));
    });
  }

  /**
   * The log's cursor, from the same journal as the memory is: of a batch that was booked in between the cursor would know,
   * and nobody would tell its quota updates before the next record comes.
   */
  async #whereItStands(log: TopicPartition): Promise<HeldLog> {
    const { journal } = this.#ports;
    let { sequence } = await journal.head(this.#name);
    for (;;) {
      this.#memory.forgetUnless(sequence);
      const { head } = await this.#recovered();
      const booked = bookedLog(log, head.topic);
      const cursor = await journal.cursor(booked);
      ({ sequence } = await journal.head(this.#name));
      if (sequence === head.sequence) return { booked, cursor };
    }
  }

  async #begin(log: TopicPartition, first: RawRecord, decode: Decoder): Promise<OpenBatch> {
    const held = this.#heldLog(log);
    const rules = await this.#ports.rules();
    const door = { decode, keyedByMsisdn: first.timestampMs !== null };
    const batch = this.#spare ?? new FlowBatch(this.#settings.maxRecords);
    this.#spare = null;
    this.#open = { log, held, batch, rules, door, bookingDay: bookingDayOf(first, this.#today()) };
    return this.#open;
  }

  /** A log that is not assigned has lost what was buffered of it: going on would skip records. */
  #heldLog(log: TopicPartition): HeldLog {
    const held = this.#held.get(nameOf(log));
    if (held !== undefined) return held;
    throw new StoreError('batch_fenced', `${nameOf(log)} has to be assigned again`, { canRetry: true });
  }

  async #bookOpen(): Promise<void> {
    this.#disarmLinger();
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const { held, batch, rules } = open;
    const state = await this.#recovered();
    const { lane } = state;
    const place = {
      log: held.booked,
      bookingDay: open.bookingDay,
      chainedDay: state.head.bookingDay,
      prev: held.cursor,
      firstOffset: batch.offset[0],
      lastOffset: batch.offset[batch.count - 1],
      laneSequence: state.head.sequence + 1,
      lanePosition: lane.position,
      gapReason: '' as const,
    };
    classifyBatch(batch, lane, rules);
    await this.#memory.reachBackTo(state, earliestPeriodStart(batch));
    rateBatch(batch, lane, rules);
    const { pseudonymKey, rejectionPayloadOctets } = this.#settings;
    const payloadOf = (row: number) =>
      rejectedPayload(batch.value(row), open.door.decode, pseudonymKey, rejectionPayloadOctets);
    const summary = summarise(batch);
    const block = journalBlock(batch, payloadOf, summary, place, lane, rules);

    await this.#book(block, state);
    held.cursor = block.lastOffset;
    const { publisher, onBooked } = this.#ports;
    await publisher.publish(this.#name, deriveQuotaUpdates(batch, lane, rules.catalogue, held.booked));
    onBooked({ block, summary });
    batch.clear();
    this.#spare = batch;
    this.#memory.forgetWhenOld(this.#today());
  }

  /** A gap is a batch without records: it stands in the chain, under the same guards as any other. */
  async #acceptGap(gap: SourceGap, cursor: number): Promise<HeldLog> {
    if (!this.#settings.acceptGaps) throw unaccepted(gap, cursor);
    const { reason, log, firstOffset, lastOffset } = gap;
    const state = await this.#recovered();
    const place = {
      log,
      bookingDay: this.#today(),
      chainedDay: state.head.bookingDay,
      prev: firstOffset - 1,
      firstOffset,
      lastOffset,
      laneSequence: state.head.sequence + 1,
      lanePosition: state.lane.position,
      gapReason: reason,
    };
    const nothing = new FlowBatch(0);
    const block = journalBlock(nothing, () => '', summarise(nothing), place, state.lane, await this.#ports.rules());
    await this.#book(block, state);
    this.#ports.onGap(gap);
    return { booked: log, cursor: lastOffset };
  }

  async #book(block: JournalBlock, state: RecoveredLane): Promise<void> {
    const { journal, retry, clock } = this.#ports;
    await bookBlock(journal, block, retry, clock);
    const { laneSequence, log, bookingDay } = block;
    state.head = { sequence: laneSequence, position: state.lane.position, topic: log.topic, bookingDay };
  }

  #recovered(): Promise<RecoveredLane> {
    const { publisher, journal, rules } = this.#ports;
    return this.#memory.recovered(this.#today(), async (lane) => {
      const { catalogue } = await rules();
      await publisher.publish(this.#name, await lastQuotaUpdates(journal, this.#name, lane, catalogue));
    });
  }

  #today(): number {
    return Math.floor(this.#ports.clock.nowMs() / DAY_MS);
  }

  #forget(): void {
    this.#disarmLinger();
    this.#open = null;
    this.#memory.forget();
    this.#held.clear();
  }

  #armLinger(log: TopicPartition): void {
    this.#linger ??= this.#ports.clock.after(this.#settings.maxDelayMs, () => {
      this.#linger = null;
      this.#inTurn(() => this.#bookOpen()).catch((error) => this.#ports.onFailure(log, error));
    });
  }

  #disarmLinger(): void {
    this.#linger?.();
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
