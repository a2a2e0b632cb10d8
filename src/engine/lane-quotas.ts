import { ROOT_CONTEXT, SpanStatusCode } from '@opentelemetry/api';
import type { BatchPlace } from '../journal/block-rows.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { QuotaUpdates } from '../rating/quota-updates.ts';
import { failPublish, type Publication, publishBatch, type UnpublishedBatch, type WorkerPorts } from './book-batch.ts';
import { PendingUpdates } from './pending-updates.ts';
import { Step } from './step.ts';

/** Batches of a lane whose quota updates may wait at the most: a recovery reads the charges of so many. */
const MAX_BATCHES = 1000;
/** Quota updates of a lane that may wait at the most. */
const MAX_UPDATES = 262_144;

/** What the waiting quota updates of all lanes of an engine may take together. */
export class PendingMemory {
  readonly #maxBytes: number;
  readonly #bytes = new Map<object, number>();
  #total = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isShort(): boolean {
    return this.#total > this.#maxBytes;
  }

  count(lane: object, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(lane) ?? 0);
    this.#bytes.set(lane, bytes);
  }
}

/** What a lane's quotas call: both are given by the worker, which has the lane's turns. */
export interface QuotaCalls {
  /** The interval is over, and updates wait: `publishDue` is to be called in turn. */
  onDue(log: TopicPartition): void;
  /** A publication failed that no call waits for. */
  onLost(log: TopicPartition, error: unknown): void;
}

/**
 * Publishes a lane's quota updates: those of each batch at once, or no more often than an interval. Then updates of batches in
 * between wait, the newest of each subscriber and plan, but for those that say that a quota is used up or a threshold reached. What
 * waits is in no need of a store: every batch says in the journal through which batch the updates were published by then, so that
 * the lane's next owner derives the others. At any time one publication is under way at the most.
 */
export class LaneQuotas {
  readonly #lane: string;
  readonly #ports: WorkerPorts;
  readonly #intervalMs: number;
  readonly #memory: PendingMemory;
  readonly #calls: QuotaCalls;
  readonly #pending = new PendingUpdates();
  /** Of the last batch whose updates were taken; null before there is one. */
  #last: BatchPlace | null = null;
  #publishedThrough = 0;
  /** What waited was discarded: it is not known what is published until the journal has been read. */
  #isForgotten = false;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  /** Takes the timer of the interval back, while it runs. */
  #timer: (() => void) | null = null;
  #isClosed = false;
  /** The last publication that was begun; null before there is one. */
  #publishing: Step | null = null;

  constructor(lane: string, ports: WorkerPorts, intervalMs: number, memory: PendingMemory, calls: QuotaCalls) {
    this.#lane = lane;
    this.#ports = ports;
    this.#intervalMs = intervalMs;
    this.#memory = memory;
    this.#calls = calls;
  }

  /** The publication that is under way; null where none is. */
  get publishing(): Step | null {
    return this.#publishing?.hasEnded === false ? this.#publishing : null;
  }

  /** Whether updates may wait. */
  get hasInterval(): boolean {
    return this.#intervalMs > 0;
  }

  /** All updates of the lane's batches up to this number are published. */
  get publishedThrough(): number {
    return this.#publishedThrough;
  }

  /** Publishes what the journal says may not have been published, up to its batch `through`. What waited is in it. */
  async recover(updates: readonly QuotaUpdates[], through: number): Promise<void> {
    this.discard();
    for (const some of updates) await this.#send(some);
    this.#publishedThrough = through;
    this.#isForgotten = false;
  }

  /** Takes a booked batch's updates, once the publication `before` it has ended, and begins to publish what is due with it. */
  async take(log: TopicPartition, batch: UnpublishedBatch, before: Step | null): Promise<void> {
    await before?.done.catch((error) => failPublish(batch, error, this.#ports));
    this.#publishing = new Step(this.#publish(batch), (error) => this.#calls.onLost(log, error));
  }

  /** Begins to publish what waits, behind the caller: a failure is reported as one that no call waits for. */
  beginPending(log: TopicPartition): void {
    if (this.#isClosed || this.#pending.length === 0) return;
    this.#publishing = new Step(this.publishPending(), (error) => this.#calls.onLost(log, error));
  }

  /** Publishes what waits, if the interval is over by now. No publication is under way. */
  async publishDue(): Promise<void> {
    if (this.#restMs() <= 0) await this.publishPending();
    else this.#arm();
  }

  /** Publishes what waits. No publication is under way. */
  async publishPending(): Promise<void> {
    const { tracer, onPublished, onFailed } = this.#ports;
    if (this.#pending.length === 0 || this.#last === null) return;
    const place = this.#last;
    const { updates, publishedThrough } = this.#takePending(place.laneSequence);
    const quotaUpdates = updates.length;
    const attributes = { 'zerorate.lane': this.#lane, 'zerorate.published_through': publishedThrough };
    const span = tracer.startSpan('publish waiting', { attributes }, ROOT_CONTEXT);
    try {
      await this.#send(updates);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      onFailed?.({ place, stage: 'publish', error });
      throw error;
    } finally {
      span.end();
    }
    this.#publishedThrough = publishedThrough;
    onPublished?.({ lane: this.#lane, quotaUpdates, publishedThrough });
  }

  /** Forgets what waits: it is derived from the journal again. */
  discard(): void {
    this.#isForgotten = true;
    this.#disarm();
    this.#pending.clear();
    this.#memory.count(this, 0);
  }

  /** From then on nothing waits for time to pass. */
  close(): void {
    this.#isClosed = true;
    this.#disarm();
  }

  async #publish(batch: UnpublishedBatch): Promise<void> {
    const publication = this.#dueWith(batch);
    await publishBatch(this.#lane, batch, publication, this.#ports);
    this.#publishedThrough = publication.publishedThrough;
  }

  /** What is published with a batch: everything, its urgent updates, or nothing. */
  #dueWith({ booked: { place }, updates }: UnpublishedBatch): Publication {
    this.#last = place;
    const { laneSequence } = place;
    if (!this.hasInterval) return { updates, publishedThrough: laneSequence };
    // A batch that was on its way: what others have left is published when the journal is read.
    if (this.#isForgotten) return { updates, publishedThrough: this.#publishedThrough };
    this.#pending.merge(updates);
    this.#memory.count(this, this.#pending.bytes);
    if (this.#pending.length === 0 || this.#restMs() <= 0 || this.#isFull(laneSequence)) {
      if (this.#pending.length > 0) this.#publishedAtMs = this.#ports.clock.monotonicMs();
      return this.#takePending(laneSequence);
    }
    const urgent = this.#pending.takeUrgent(updates);
    if (this.#pending.length === 0) return { updates: urgent, publishedThrough: laneSequence };
    this.#arm();
    return { updates: urgent, publishedThrough: this.#publishedThrough };
  }

  #isFull(laneSequence: number): boolean {
    const batches = laneSequence - this.#publishedThrough;
    return batches >= MAX_BATCHES || this.#pending.length > MAX_UPDATES || this.#memory.isShort;
  }

  #takePending(publishedThrough: number): Publication {
    this.#disarm();
    const updates = this.#pending.take();
    this.#memory.count(this, 0);
    return { updates, publishedThrough };
  }

  async #send(updates: QuotaUpdates): Promise<void> {
    this.#publishedAtMs = this.#ports.clock.monotonicMs();
    await this.#ports.publisher.publish(this.#lane, updates);
  }

  /** Until the lane may publish again. */
  #restMs(): number {
    return this.#publishedAtMs + this.#intervalMs - this.#ports.clock.monotonicMs();
  }

  #arm(): void {
    if (this.#timer !== null || this.#isClosed || this.#pending.length === 0 || this.#last === null) return;
    const { log } = this.#last;
    this.#timer = this.#ports.clock.after(this.#restMs(), () => {
      this.#timer = null;
      this.#calls.onDue(log);
    });
  }

  #disarm(): void {
    this.#timer?.();
    this.#timer = null;
  }
}
