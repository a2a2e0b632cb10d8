import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogCursor } from '../journal/journal.ts';
import { StoreError } from '../platform/clickhouse/store.ts';
import { type LogRecord, NO_PROOF, type ProveRecord } from '../platform/kafka/log-record.ts';
import type { Decoder, FlowBatch } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { AskBounds } from '../sources/source.ts';
import { BatchMemory } from './batch-memory.ts';
import { BatchSteps } from './batch-steps.ts';
import {
  bookBatch,
  bookGap,
  failPublish,
  publishBatch,
  type UnpublishedBatch,
  type WorkerPorts,
  type WorkerSettings,
} from './book-batch.ts';
import {
  bookingDayOf,
  DAY_MS,
  fill,
  type HeldLog,
  isFull,
  nameOf,
  type OpenBatch,
  type RecoveredLane,
  UnreadRecords,
} from './open-batch.ts';
import { lastQuotaUpdates, OPEN_DAYS, recoverLane } from './recovery.ts';
import { bookedLog, gapNotAcceptedError, recreatedGap, resolveResumeOffset, type SourceGap } from './resume-offset.ts';

/** After so long without a log a lane's memory is let go of: rebalances are over, and the next file has come. */
const IDLE_MEMORY_MS = 60_000;
/** After so many days the lane is read again, which discards the counters of periods that have ended. */
const REFRESH_DAYS = 7;
/** An asynchronous step of a batch while the next one fills. */
interface Step {
  done: Promise<void>;
  /** A call waits for it, and gets its failure. */
  isAwaited: boolean;
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
  /** The copy of what the journal holds; null where it must be read first. */
  #lane: RecoveredLane | null = null;
  /** The day on which it was read. */
  #recoveredDay = 0;
  readonly #held = new Map<string, HeldLog>();
  #open: OpenBatch | null = null;
  /** The batch before, while it is being booked. */
  #committing: Step | null = null;
  /** The last batch that was booked, while its quota updates are being published. */
  #publishing: Step | null = null;
  readonly #batchMemory: BatchMemory;
  /** Deliveries that wait for their turn. */
  #waitingDeliveries = 0;
  /** Takes the timer back, while one runs. */
  #linger: (() => void) | null = null;
  /** The open batch's timer has run out. */
  #isOverdue = false;
  /** Takes the timer back that forgets a released lane, while it runs. */
  #discardTimer: (() => void) | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** `batchMemory` is shared by all lanes of an engine. */
  constructor(
    name: string,
    ports: WorkerPorts,
    settings: WorkerSettings,
    batchMemory = new BatchMemory(settings, ports.clock),
  ) {
    this.#name = name;
    this.#batchMemory = batchMemory;
    this.#ports = ports;
    this.#settings = settings;
  }

  assign(log: TopicPartition, bounds: AskBounds): Promise<number> {
    return this.#inTurn(async () => {
      await this.#awaitPendingSteps();
      // Before the journal is read: what another engine has booked and not published by now, this one publishes.
      await this.#ports.publisher.claim(this.#name);
      const { booked, cursor, isBegun } = await this.#readCursor(log);
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
      await this.#commitOpenBatch();
    });
  }

  /** Forgets what is not booked of a log. What is booked stays, for the next log of the lane or the next assignment. */
  release(log: TopicPartition): Promise<void> {
    return this.#inTurn(async () => {
      // The log's next owner reads the journal: what is on its way must be in it by then.
      await this.#awaitPendingSteps();
      if (this.#open !== null && nameOf(this.#open.log) === nameOf(log)) this.#discardMemory();
      this.#held.delete(nameOf(log));
      if (this.#held.size === 0) this.#discardMemoryLater();
    });
  }

  /** A lane that does not come back is another process's: its window and counters here are of no use. */
  #discardMemoryLater(): void {
    if (this.#isClosed) return;
    this.#discardTimer ??= this.#ports.clock.after(IDLE_MEMORY_MS, () => {
      this.#discardTimer = null;
      void this.#inTurn(async () => {
        if (this.#held.size === 0) this.#lane = null;
      });
    });
  }

  /** From then on nothing waits for time to pass. A call that is under way continues. */
  close(): void {
    this.#isClosed = true;
    this.#disarmLinger();
    this.#discardTimer?.();
    this.#discardTimer = null;
  }

  /**
   * The log's cursor, from the same state of the journal as the memory: a batch that was booked in between would be behind the
   * cursor, and its quota updates would not be published before the next record comes.
   */
  async #readCursor(log: TopicPartition): Promise<{ booked: TopicPartition; cursor: LogCursor; isBegun: boolean }> {
    const { journal } = this.#ports;
    let { sequence } = await journal.head(this.#name);
    for (;;) {
      // Another process has booked in this lane since: then the copy is of no use.
      if (this.#lane?.head.sequence !== sequence) this.#lane = null;
      const { head } = await this.#recovered();
      const booked = bookedLog(log, head.topic);
      const cursor = await journal.cursor(booked);
      ({ sequence } = await journal.head(this.#name));
      if (sequence === head.sequence)
        return { booked, cursor, isBegun: cursor.offset >= 0 || head.topic === booked.topic };
    }
  }

  async #openBatch(log: TopicPartition, first: LogRecord, decode: Decoder): Promise<OpenBatch> {
    if (this.#lane !== null && this.#today() - this.#recoveredDay >= REFRESH_DAYS) {
      await this.#awaitPreviousPublish();
      this.#lane = null;
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
    const state = await this.#recovered();
    const { journal } = this.#ports;
    await state.lane.recallEarlier(log.topic, () =>
      journal.seenByEarlier(this.#name, log.topic, Number.MAX_SAFE_INTEGER),
    );
    const rules = await this.#ports.rules();
    const held = this.#heldLog(log);
    const bookingDay = bookingDayOf(first, this.#today());
    const keyedByMsisdn = first.timestampMs !== null;
    const context = { decode, keyedByMsisdn, rules: this.#settings.recordRules, bookingDay };
    const steps = new BatchSteps(this.#name, this.#ports.tracer, this.#ports.clock);
    const sourceProof = NO_PROOF;
    this.#open = { log, held, prev: held.cursor, state, batch, rules, context, bookingDay, steps, sourceProof };
    return this.#open;
  }

  /** A log that is not assigned has lost what was buffered of it: continuing would skip records. */
  #heldLog(log: TopicPartition): HeldLog {
    const held = this.#held.get(nameOf(log));
    if (held !== undefined) return held;
    throw reassignmentError(log);
  }

  /** Books the open batch, and waits until it is published too. */
  async #commitOpenBatch(): Promise<void> {
    await this.#startCommit();
    await this.#awaitPreviousPublish();
  }

  /** Books the open batch while the next one fills. Batches extend each other: it waits for the one before first. */
  async #startCommit(): Promise<void> {
    this.#disarmLinger();
    this.#open?.steps.rest();
    await awaitStep(this.#committing);
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    open.held.cursor = open.batch.offset[open.batch.count - 1];
    this.#committing = this.#track(open.log, this.#commit(open, this.#publishing));
  }

  async #awaitPreviousPublish(): Promise<void> {
    await awaitStep(this.#committing);
    await awaitStep(this.#publishing);
  }

  /** Waits until the steps that were begun have ended; their failures go to `onFailure`. */
  async #awaitPendingSteps(): Promise<void> {
    await Promise.allSettled([this.#committing?.done, this.#publishing?.done]);
  }

  /** Keeps a step until it ends; a failure that no call waits for goes to `onFailure`. */
  #track(log: TopicPartition, done: Promise<void>): Step {
    const step: Step = { done, isAwaited: false };
    done
      .catch((error) => {
        if (step.isAwaited) return;
        this.#discardMemory();
        this.#ports.onFailure(log, error);
      })
      .finally(() => {
        if (this.#committing === step) this.#committing = null;
        if (this.#publishing === step) this.#publishing = null;
      });
    return step;
  }

  /** Of all that is booked one batch at the most is not published: after a crash the last two are published again. */
  async #commit(open: OpenBatch, publishing: Step | null): Promise<void> {
    if (publishing !== null) publishing.isAwaited = true;
    const block = this.#batchMemory.takeBlock();
    let booked: UnpublishedBatch;
    try {
      booked = await bookBatch(this.#name, open, block, this.#ports, this.#settings);
    } catch (error) {
      // The block is not given back: an insert that was given up may still be reading it.
      this.#batchMemory.drop(open.batch);
      throw error;
    }
    this.#batchMemory.giveBackBlock(block);
    this.#batchMemory.giveBack(open.batch);
    await publishing?.done.catch((error) => failPublish(booked, error, this.#ports));
    this.#publishing = this.#track(open.log, publishBatch(this.#name, booked, this.#ports));
  }

  /** Commits a batch that has waited long enough, unless a delivery is waiting, which fills it soon. */
  async #commitOverdue(): Promise<void> {
    if (this.#waitingDeliveries === 0) await this.#startCommit();
  }

  /** A gap is a batch without records: it is in the chain, under the same guards as any other. */
  async #acceptGap(gap: SourceGap, cursor: number, isOtherRecord = false): Promise<Pick<HeldLog, 'booked' | 'cursor'>> {
    if (!this.#settings.acceptGaps) throw gapNotAcceptedError(gap, cursor, isOtherRecord);
    await bookGap(gap, await this.#recovered(), this.#today(), this.#ports);
    return { booked: gap.log, cursor: gap.lastOffset };
  }

  async #recovered(): Promise<RecoveredLane> {
    if (this.#lane !== null) return this.#lane;
    const { publisher, journal, rules } = this.#ports;
    const today = this.#today();
    const lane = await recoverLane(journal, this.#name, { ...this.#settings, horizonDay: today - OPEN_DAYS });
    const { catalogue } = await rules();
    for (const updates of await lastQuotaUpdates(journal, this.#name, lane, catalogue)) {
      await publisher.publish(this.#name, updates);
    }
    this.#lane = lane;
    this.#recoveredDay = today;
    return lane;
  }

  #today(): number {
    return Math.floor(this.#ports.clock.nowMs() / DAY_MS);
  }

  #discardMemory(): void {
    this.#disarmLinger();
    this.#open?.steps.end('forgotten');
    if (this.#open !== null) this.#batchMemory.drop(this.#open.batch);
    this.#open = null;
    this.#lane = null;
    this.#held.clear();
  }

  #armLinger(log: TopicPartition): void {
    if (this.#linger !== null || this.#isClosed) return;
    const end = () => {
      this.#endLinger();
      const book = async () => {
        this.#isOverdue = true;
        await this.#commitOverdue();
      };
      this.#inTurn(book).catch((error) => this.#ports.onFailure(log, error));
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

async function awaitStep(step: Step | null): Promise<void> {
  if (step === null) return;
  step.isAwaited = true;
  await step.done;
}
