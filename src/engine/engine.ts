import type { BatchSummary } from '../billing/batch-summary.ts';
import type { Catalogue } from '../billing/catalogue.ts';
import type { Decoder } from '../billing/decoder.ts';
import { OUTCOMES, type Outcome } from '../billing/outcome.ts';
import { Rules } from '../billing/rules.ts';
import type { TopicPartition } from '../billing/topic-partition.ts';
import type { RetryPolicy } from '../journal/book-once.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';
import { isFenced } from '../platform/fenced.ts';
import type { LogRecord } from '../platform/log-record.ts';
import type { QuotaPublisher } from '../quota-updates/quota-publisher.ts';
import type { AskBounds, Source, SourceListener } from '../sources/source.ts';
import type { BookedBatch, WorkerPorts, WorkerSettings } from './book-batch.ts';
import { LaneWorker } from './lane-worker.ts';
import type { SourceGap } from './where-to-go-on.ts';

/** How old the engine's look at suspensions and closings may be: it bounds what a suspended sponsor still pays for. */
export const FACTS_MAX_AGE_MS = 1000;

export interface EngineOptions {
  journal: Journal;
  catalogue: Catalogue;
  source: Source;
  publisher: QuotaPublisher;
  settings: WorkerSettings;
  retry: RetryPolicy;
  clock: Clock;
  onBooked?: (booked: BookedBatch) => void;
  onGap?: (gap: SourceGap) => void;
}

/** What one run has booked. */
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
  /** What was booked so far; after a failed run too. */
  readonly totals: RunTotals = { batches: 0, read: 0, records: zeros(), keyMismatches: 0 };
  #rules: Rules;
  #rulesAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#rules = new Rules(options.catalogue);
  }

  /** Resolves when the source has ended or was stopped; rejects with the error that halted it. Runs once. */
  async run(): Promise<RunTotals> {
    const { journal, source, publisher, catalogue } = this.#options;
    await journal.keepCatalogue(catalogue);
    await publisher.start();
    try {
      await new Promise<void>((resolve, reject) => {
        source.run(this.#listener(reject)).then(resolve, reject);
      });
    } finally {
      await source.stop();
      await publisher.stop();
    }
    return this.totals;
  }

  #listener(halt: (error: unknown) => void): SourceListener {
    // A log that another engine has booked in is read again from where the journal stands now; the others go on.
    const onFailure = (log: TopicPartition, error: unknown) =>
      isFenced(error) ? this.#options.source.reassign(log, error) : halt(error);
    const worker = ({ lane }: TopicPartition) => this.#worker(lane, onFailure);
    return {
      assign: (log: TopicPartition, bounds: AskBounds) => worker(log).assign(log, bounds),
      deliver: (log: TopicPartition, records: Iterable<LogRecord>, decode: Decoder) =>
        worker(log).deliver(log, records, decode),
      flush: (log: TopicPartition) => worker(log).flush(log),
      revoke: (log: TopicPartition) => worker(log).release(log),
    };
  }

  #worker(lane: string, onFailure: WorkerPorts['onFailure']): LaneWorker {
    let worker = this.#workers.get(lane);
    if (worker === undefined) {
      const { journal, publisher, settings, retry, clock, onGap = () => {} } = this.#options;
      const ports: WorkerPorts = {
        journal,
        retry,
        publisher,
        rules: () => this.#currentRules(),
        clock,
        onBooked: (booked) => this.#booked(booked),
        onGap,
        onFailure,
      };
      worker = new LaneWorker(lane, ports, settings);
      this.#workers.set(lane, worker);
    }
    return worker;
  }

  async #currentRules(): Promise<Rules> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#rulesAtMs > FACTS_MAX_AGE_MS) {
      this.#rulesAtMs = nowMs;
      this.#rules = this.#rules.with(await this.#options.journal.facts());
    }
    return this.#rules;
  }

  #booked(booked: BookedBatch): void {
    const { block, summary } = booked;
    this.totals.batches++;
    this.totals.read += readOf(summary);
    this.totals.keyMismatches += block.keyMismatches;
    for (const outcome of OUTCOMES) this.totals.records[outcome] += summary.records[outcome];
    this.#options.source.acknowledge(block.log, block.lastOffset);
    this.#options.onBooked?.(booked);
  }
}

function readOf({ records }: BatchSummary): number {
  return OUTCOMES.reduce((sum, outcome) => sum + records[outcome], 0);
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}
