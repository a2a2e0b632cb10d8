import { type Tracer, trace } from '@opentelemetry/api';
import type { Journal, QuotaPublisher, RetryPolicy } from '../journal/journal.ts';
import type { JournalBlock } from '../journal/journal-block.ts';
import type { Clock } from '../platform/clock.ts';
import { isFenced } from '../platform/fenced.ts';
import type { LogRecord, ProveRecord } from '../platform/kafka/log-record.ts';
import type { BatchSummary } from '../rating/batch-summary.ts';
import type { Decoder } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { OUTCOMES, type Outcome } from '../rating/outcome.ts';
import type { PreparedCatalogue } from '../rating/prepared-catalogue.ts';
import { type Facts, NO_FACTS, Rules } from '../rating/rules.ts';
import type { AskBounds, Source, SourceListener } from '../sources/source.ts';
import type { BookedBatch, EngineEvents, WorkerPorts, WorkerSettings } from './book-batch.ts';
import { LaneWorker, type SharedMemory, sharedMemory } from './lane-worker.ts';
import { bookStartPosition, type StartPosition } from './start-position.ts';

export interface EngineOptions extends Partial<EngineEvents> {
  journal: Journal;
  /** To begin with; `take` gives it another one. */
  catalogue: PreparedCatalogue;
  source: Source;
  publisher: QuotaPublisher;
  settings: WorkerSettings;
  retry: RetryPolicy;
  clock: Clock;
  /** Where a topic begins that nothing is booked of; absent: where its partitions do. */
  startPosition?: StartPosition;
  /** Called when nothing was booked for a while after much was. */
  onIdle?: () => void;
  /** Called with the error that ends the run, before what it works with is closed. */
  onHalt?: (error: unknown) => void;
  /** Where the spans of batches go; absent: nowhere. */
  tracer?: Tracer;
}

/** What one run has booked: all batches that it knows to be in the journal. */
export interface RunTotals {
  batches: number;
  read: number;
  records: Record<Outcome, number>;
  keyMismatches: number;
}

/**
 * The shell around the pure core: a source on one side, the journal and the quota publisher on the other, a worker a lane
 * between them. Inert until `run`.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #workers = new Map<string, LaneWorker>();
  readonly #memory: SharedMemory;
  /** What was booked so far; after a failed run too. */
  readonly totals: RunTotals = { batches: 0, read: 0, records: zeros(), keyMismatches: 0 };
  readonly #rules: CurrentRules;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#memory = sharedMemory(options.settings, options.clock, options.onIdle);
    this.#rules = new CurrentRules(options.catalogue, options.journal, options.clock);
  }

  /** Every lane's next batch is rated with this catalogue, which the store keeps already. */
  take(catalogue: PreparedCatalogue): void {
    this.#rules.take(catalogue);
  }

  /** Takes no more records and books what it has; `run` resolves when that is done. Before `run`, that ends at once. */
  stop(): Promise<void> {
    return this.#options.source.stop();
  }

  /** Resolves when the source has ended or was stopped; rejects with the error that halted it. Runs once. */
  async run(): Promise<RunTotals> {
    const { journal, source, publisher } = this.#options;
    await journal.keepCatalogue(this.#rules.catalogue);
    await publisher.start();
    try {
      if (this.#options.startPosition !== undefined) await this.#bookStart(this.#options.startPosition);
      await new Promise<void>((resolve, reject) => {
        source.run(this.#listener(reject)).then(resolve, reject);
      });
    } catch (error) {
      this.#options.onHalt?.(error);
      // Why the run has ended matters more than what its end fails with.
      await this.#close().catch(() => {});
      throw error;
    }
    await this.#close();
    return this.totals;
  }

  async #close(): Promise<void> {
    const { source, publisher } = this.#options;
    try {
      await source.stop();
    } finally {
      for (const worker of this.#workers.values()) worker.close();
      this.#memory.batches.close();
      await publisher.stop();
    }
  }

  async #bookStart(startPosition: StartPosition): Promise<void> {
    const { journal, retry, clock, settings } = this.#options;
    await bookStartPosition(startPosition, { journal, retry, clock, rules: () => this.#rules.now() }, settings);
  }

  #listener(halt: (error: unknown) => void): SourceListener {
    // A log that another engine has booked in is read again from its last committed offset; the others continue.
    const onFailure = (log: TopicPartition, error: unknown) =>
      isFenced(error) ? this.#options.source.reassign(log, error) : halt(error);
    const worker = ({ lane }: TopicPartition) => this.#worker(lane, onFailure);
    const { onAssigned, onReleased } = this.#options;
    return {
      assign: async (log: TopicPartition, bounds: AskBounds, round?: AbortSignal) => {
        const next = await worker(log).assign(log, bounds, round);
        onAssigned?.(log, next - 1);
        return next;
      },
      deliver: (log: TopicPartition, records: Iterable<LogRecord>, decode: Decoder, prove?: ProveRecord) =>
        worker(log).deliver(log, records, decode, prove),
      flush: (log: TopicPartition) => worker(log).flush(log),
      revoke: async (log: TopicPartition) => {
        await worker(log).release(log);
        onReleased?.(log);
      },
    };
  }

  #worker(lane: string, onFailure: WorkerPorts['onFailure']): LaneWorker {
    let worker = this.#workers.get(lane);
    if (worker === undefined) {
      const { journal, publisher, settings, retry, clock, onJournaled, onPublished, onFailed, onGap } = this.#options;
      const ports: WorkerPorts = {
        journal,
        retry,
        publisher,
        rules: () => this.#rules.now(),
        clock,
        tracer: this.#options.tracer ?? trace.getTracer('zerorate'),
        ...(onJournaled && { onJournaled }),
        onCommitted: (block, summary) => this.#committed(block, summary),
        onBooked: (booked) => this.#booked(booked),
        ...(onPublished && { onPublished }),
        ...(onFailed && { onFailed }),
        ...(onGap && { onGap }),
        onFailure,
      };
      worker = new LaneWorker(lane, ports, settings, this.#memory);
      this.#workers.set(lane, worker);
    }
    return worker;
  }

  #committed(block: JournalBlock, summary: BatchSummary): void {
    this.totals.batches++;
    this.totals.read += readOf(summary);
    this.totals.keyMismatches += block.keyMismatches;
    for (const outcome of OUTCOMES) this.totals.records[outcome] += summary.records[outcome];
  }

  #booked(booked: BookedBatch): void {
    const { log, lastOffset } = booked.place;
    this.#options.source.acknowledge(log, lastOffset);
    this.#options.onBooked?.(booked);
  }
}

function readOf({ records }: BatchSummary): number {
  return OUTCOMES.reduce((sum, outcome) => sum + records[outcome], 0);
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}

/** How old the engine's look at suspensions and closings may be: it bounds what a suspended sponsor still pays for. */
export const FACTS_MAX_AGE_MS = 1000;

/** The rules that the next batch is rated with, whichever lane it is of: the catalogue of now, and the facts of just now. */
export class CurrentRules {
  readonly #journal: Pick<Journal, 'facts'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #rules: Rules<PreparedCatalogue>;
  #facts: Facts = NO_FACTS;
  #factsAtMs = Number.NEGATIVE_INFINITY;
  /** A read that is under way: calls meanwhile wait for it too. */
  #looking: Promise<void> | null = null;

  constructor(catalogue: PreparedCatalogue, journal: Pick<Journal, 'facts'>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#rules = new Rules(catalogue);
    this.#journal = journal;
    this.#clock = clock;
  }

  get catalogue(): PreparedCatalogue {
    return this.#rules.catalogue;
  }

  async now(): Promise<Rules<PreparedCatalogue>> {
    if (this.#clock.monotonicMs() - this.#factsAtMs > FACTS_MAX_AGE_MS) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
      await this.#looking;
    }
    return this.#rules;
  }

  /** The next batches are rated with this catalogue, which the store keeps already. */
  take(catalogue: PreparedCatalogue): void {
    this.#rules = new Rules(catalogue, this.#facts);
  }

  async #look(): Promise<void> {
    const askedAtMs = this.#clock.monotonicMs();
    this.#facts = await this.#journal.facts();
    this.#factsAtMs = askedAtMs;
    this.#rules = this.#rules.with(this.#facts);
  }
}
