import { setImmediate as nextTurn } from 'node:timers/promises';
import { NOT_RECORDED } from '../journal/block-rows.ts';
import { StoreError } from '../platform/clickhouse/store.ts';
import { type LogRecord, NO_PROOF, type ProveRecord } from '../platform/kafka/log-record.ts';
import type { Decoder, FlowBatch } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { AskBounds } from '../sources/source.ts';
import { BatchMemory, DEFAULT_MAX_TOTAL_BYTES } from './batch-memory.ts';
import { BatchSteps } from './batch-steps.ts';
import { bookBatch, bookGap, type UnpublishedBatch, type WorkerPorts, type WorkerSettings } from './book-batch.ts';
import { LaneCopy } from './lane-copy.ts';
import { LaneQuotas, PendingMemory } from './lane-quotas.ts';
import { bookingDayOf, fill, type HeldLog, isFull, nameOf, type OpenBatch, UnreadRecords } from './open-batch.ts';
import { gapNotAcceptedError, recreatedGap, resolveResumeOffset, type SourceGap } from './resume-offset.ts';
import { Step } from './step.ts';

/** Memory that all lanes of an engine share. */
export interface SharedMemory {
  batches: BatchMemory;
  pending: PendingMemory;
}

/** The waiting quota updates take an eighth of what the open batches may take, beside them. */
const PENDING_SHARE = 1 / 8;

export function sharedMemory(settings: WorkerSettings, clock: WorkerPorts['clock'], onIdle?: () => void): SharedMemory {
  const { maxTotalBytes = DEFAULT_MAX_TOTAL_BYTES } = settings;
  return {
    batches: new BatchMemory(settings, clock, onIdle),
    pending: new PendingMemory(maxTotalBytes * PENDING_SHARE),
  };
}

/**
 * Books the records of one lane, batch after batch: while one is on its way into the journal, the next one fills, and what
 * the one before leaves of the quotas is published. Its memory is a copy of the journal: after any failure it is thrown away
 * and read back. Calls wait for each other, so a batch is never touched by two of them.
 */
export class LaneWorker {
  readonly #name: string;
  readonly #ports: WorkerPorts;
  readonly #settings: WorkerSettings;
  readonly #quotas: LaneQuotas;
  readonly #copy: LaneCopy;
  readonly #held = new Map<string, HeldLog>();
  #open: OpenBatch | null = null;
  /** The last batch that was given to be booked; null before there is one. */
  #committing: Step | null = null;
  readonly #batchMemory: BatchMemory;
  /** Deliveries that wait for their turn. */
  #waitingDeliveries = 0;
  /** Takes the timer back, while one runs. */
  #linger: (() => void) | null = null;
  /** The open batch's timer has run out. */
  #isOverdue = false;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    name: string,
    ports: WorkerPorts,
    settings: WorkerSettings,
    memory = sharedMemory(settings, ports.clock),
  ) {
    this.#name = name;
    this.#ports = ports;
    this.#settings = settings;
    this.#batchMemory = memory.batches;
    this.#quotas = new LaneQuotas(name, ports, settings.quotaIntervalMs ?? 0, memory.pending, {
      onDue: (log) => this.#behind(log, () => this.#publishDue()),
      onLost: (log, error) => this.#lost(log, error),
    });
    this.#copy = new LaneCopy(name, ports, settings, this.#quotas);
  }

  assign(log: TopicPartition, bounds: AskBounds, round?: AbortSignal): Promise<number> {
    return this.#inTurn(async () => {
      await this.#awaitPendingSteps();
      // A claim would fence the log's next owner.
      round?.throwIfAborted();
      // Before the journal is read: what another engine has booked and not published by now, this one publishes.
      await this.#ports.publisher.claim(this.#name, round);
      const { booked, cursor, isBegun } = await this.#copy.cursor(log);
      const { offset, sourceProof } = cursor;
      const limits = await bounds();
      const startOffset = limits?.startOffset ?? 0;
      const next = resolveResumeOffset(booked, offset, limits, isBegun);
      if (typeof next !== 'number') {
        const held = await this.#acceptGap(next, offset);
        this.#held.set(nameOf(log), { ...held, cursorProof: NO_PROOF, startOffset });
        return held.cursor + 1;
      }
      // Files are compared by their source, before any of them is read.
      const isCompared = limits !== null && sourceProof !== NO_PROOF && offset >= startOffset;
      const cursorProof = isCompared ? sourceProof : NO_PROOF;
      this.#held.set(nameOf(log), { booked, cursor: offset, cursorProof, startOffset });
      return isCompared ? offset : next;
    });
  }

  /**
   * Whether the record is the one at the cursor, read again to be compared. The broker may have it no more: aborted, or taken by
   * compaction. Throws where another record is in its place: the log is another one, which is accepted as a gap or not at all.
   */
  async #isLastBooked(log: TopicPartition, record: LogRecord, prove: ProveRecord): Promise<boolean> {
    const held = this.#heldLog(log);
    const { cursorProof, cursor, booked, startOffset } = held;
    if (cursorProof === NO_PROOF) return false;
    held.cursorProof = NO_PROOF;
    if (record.offset !== cursor) return false;
    if (prove(record) === cursorProof) return true;
    await this.#acceptGap(recreatedGap(booked, startOffset), cursor, true);
    throw reassignmentError(log);
  }

  deliver(
    log: TopicPartition,
    records: Iterable<LogRecord>,
    decode: Decoder,
    prove: ProveRecord = () => NO_PROOF,
  ): Promise<void> {
    this.#waitingDeliveries++;
    return this.#inTurn(async () => {
      this.#waitingDeliveries--;
      const rest = new UnreadRecords(records);
      let next = rest.next();
      if (next.done !== true && (await this.#isLastBooked(log, next.value, prove))) next = rest.next();
      while (next.done !== true) {
        const open = this.#open ?? (await this.#openBatch(log, next.value, decode));
        next = fill(open, log, next.value, rest, this.#settings.maxBytes, prove);
        this.#batchMemory.count(open.batch);
        const isDone = isFull(open.batch, this.#settings.maxBytes) || this.#batchMemory.isShort;
        if (isDone) await this.#startCommit();
        // The other lanes run in between.
        else if (next.done !== true) await nextTurn();
      }
      if (this.#isOverdue) await this.#commitOverdue();
      else if (this.#open !== null) this.#armLinger(log);
    });
  }

  flush(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      this.#heldLog(log);
      await this.#startCommit();
      await this.#awaitPreviousPublish();
      await this.#quotas.publishPending();
    });
  }

  /** Forgets what is not booked of a log. What is booked stays, for the next log of the lane or the next assignment. */
  release(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      // The log's next owner reads the journal: what is on its way must be in it by then.
      await this.#awaitPendingSteps();
      this.#quotas.beginPending(log);
      await this.#awaitPendingSteps();
      if (this.#open !== null && nameOf(this.#open.log) === nameOf(log)) this.#discardMemory();
      this.#held.delete(nameOf(log));
      if (this.#held.size === 0) this.#discardMemoryLater();
    });
  }

  #discardMemoryLater(): void {
    this.#copy.discardLater(() => {
      void this.#inTurn(async () => {
        if (this.#held.size === 0) this.#copy.discard();
      });
    });
  }

  /** From then on nothing waits for time to pass. A call that is under way continues. */
  close(): void {
    this.#isClosed = true;
    this.#disarmLinger();
    this.#copy.close();
    this.#quotas.close();
  }

  async #openBatch(log: TopicPartition, first: LogRecord, decode: Decoder): Promise<OpenBatch> {
    if (this.#copy.isOld) {
      await this.#awaitPreviousPublish();
      this.#copy.discard();
    }
    const batch = await this.#batchMemory.take();
    try {
      return await this.#fillOpenBatch(batch, log, first, decode);
    } catch (error) {
      this.#batchMemory.drop(batch);
      throw error;
    }
  }

  async #fillOpenBatch(batch: FlowBatch, log: TopicPartition, first: LogRecord, decode: Decoder): Promise<OpenBatch> {
    const state = await this.#copy.recovered();
    const { journal } = this.#ports;
    await state.lane.recallEarlier(log.topic, () =>
      journal.seenByEarlier(this.#name, log.topic, Number.MAX_SAFE_INTEGER),
    );
    const rules = await this.#ports.rules();
    const held = this.#heldLog(log);
    const bookingDay = bookingDayOf(first, this.#copy.today);
    const keyedByMsisdn = first.timestampMs !== null;
    const context = { decode, keyedByMsisdn, rules: this.#settings.recordRules, bookingDay };
    const steps = new BatchSteps(this.#name, this.#ports.tracer, this.#ports.clock);
    const unread = { sourceProof: NO_PROOF, publishedThrough: NOT_RECORDED };
    this.#open = { log, held, prev: held.cursor, state, batch, rules, context, bookingDay, steps, ...unread };
    return this.#open;
  }

  /** A log that is not assigned has lost what was buffered of it: continuing would skip records. */
  #heldLog(log: TopicPartition): HeldLog {
    const held = this.#held.get(nameOf(log));
    if (held !== undefined) return held;
    throw reassignmentError(log);
  }

  /** Books the open batch while the next one fills. Batches extend each other: it waits for the one before first. */
  async #startCommit(): Promise<void> {
    this.#disarmLinger();
    this.#open?.steps.rest();
    await this.#committing?.wait();
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    open.held.cursor = open.batch.offset[open.batch.count - 1];
    this.#committing = new Step(this.#commit(open, this.#quotas.publishing), (error) => this.#lost(open.log, error));
  }

  async #awaitPreviousPublish(): Promise<void> {
    await this.#committing?.wait();
    await this.#quotas.publishing?.wait();
  }

  /** Waits until the steps that were begun have ended; their failures go to `onFailure`. */
  async #awaitPendingSteps(): Promise<void> {
    await Promise.allSettled([this.#committing?.done]);
    await Promise.allSettled([this.#quotas.publishing?.done]);
  }

  /** A step has failed that no call waits for. */
  #lost(log: TopicPartition, error: unknown): void {
    this.#discardMemory();
    this.#ports.onFailure(log, error);
  }

  /** Books a batch, and begins to publish what is due with it once `publishing` has ended. */
  async #commit(open: OpenBatch, publishing: Step | null): Promise<void> {
    publishing?.expect();
    const block = this.#batchMemory.takeBlock();
    let booked: UnpublishedBatch;
    try {
      open.publishedThrough = this.#quotas.publishedThrough;
      booked = await bookBatch(this.#name, open, block, this.#ports, this.#settings);
    } catch (error) {
      // The block is not given back: an insert that was given up may still be reading it.
      this.#batchMemory.drop(open.batch);
      throw error;
    }
    this.#batchMemory.giveBackBlock(block);
    this.#batchMemory.giveBack(open.batch);
    await this.#quotas.take(open.log, booked, publishing);
  }

  async #publishDue(): Promise<void> {
    await this.#awaitPreviousPublish();
    await this.#quotas.publishDue();
  }

  /** Commits a batch that has waited long enough, unless a delivery is waiting, which fills it soon. */
  async #commitOverdue(): Promise<void> {
    if (this.#waitingDeliveries === 0) await this.#startCommit();
  }

  /** A gap is a batch without records: it is in the chain, under the same guards as any other. */
  async #acceptGap(gap: SourceGap, cursor: number, isOtherRecord = false): Promise<Pick<HeldLog, 'booked' | 'cursor'>> {
    if (!this.#settings.acceptGaps) throw gapNotAcceptedError(gap, cursor, isOtherRecord);
    const state = await this.#copy.recovered();
    await bookGap(gap, state, this.#copy.today, this.#quotas.publishedThrough, this.#ports);
    return { booked: gap.log, cursor: gap.lastOffset };
  }

  #discardMemory(): void {
    this.#disarmLinger();
    this.#open?.steps.end('forgotten');
    if (this.#open !== null) this.#batchMemory.drop(this.#open.batch);
    this.#open = null;
    this.#copy.discard();
    this.#held.clear();
  }

  #armLinger(log: TopicPartition): void {
    if (this.#linger !== null || this.#isClosed) return;
    const end = () => {
      this.#endLinger();
      this.#behind(log, async () => {
        this.#isOverdue = true;
        await this.#commitOverdue();
      });
    };
    this.#linger = this.#ports.clock.after(this.#settings.maxDelayMs, end);
    this.#batchMemory.linger(this, end);
  }

  #disarmLinger(): void {
    this.#endLinger();
    this.#isOverdue = false;
  }

  #endLinger(): void {
    this.#linger?.();
    this.#linger = null;
    this.#batchMemory.endLinger(this);
  }

  /** Does in turn what no call waits for. */
  #behind(log: TopicPartition, work: () => Promise<void>): void {
    this.#inTurn(work).catch((error) => this.#ports.onFailure(log, error));
  }

  /** Runs calls one after the other. A failure discards the memory, which may differ from the journal. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        return await work();
      } catch (error) {
        this.#discardMemory();
        throw error;
      }
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function reassignmentError(log: TopicPartition): StoreError {
  return new StoreError('batch_fenced', `${nameOf(log)} must be assigned again`, { canRetry: true });
}
