import type { BatchSummary } from '../billing/batch-summary.ts';
import type { Catalogue } from '../billing/catalogue.ts';
import type { Decoder } from '../billing/decoder.ts';
import { OUTCOMES, type Outcome } from '../billing/outcome.ts';
import { Rules } from '../billing/rules.ts';
import { nativeBlock, stringColumn, structureOf } from '../platform/native-block.ts';
import { literal, type Store } from '../platform/store.ts';
import { JournalReader } from './journal-reader.ts';
import { bookBlock, type Clock, type RetryPolicy } from './journal-writer.ts';
import { type BookedBatch, LaneWorker, type WorkerPorts, type WorkerSettings } from './lane-worker.ts';
import type { LogBounds, QuotaPublisher, RawRecord, Source, SourceListener, TopicPartition } from './ports.ts';

/** How old the engine's look at the suspensions may be: it bounds what a suspended sponsor still pays for. */
const SUSPENSIONS_MAX_AGE_MS = 1000;

export interface EngineOptions {
  store: Store;
  catalogue: Catalogue;
  source: Source;
  publisher: QuotaPublisher;
  settings: WorkerSettings;
  retry: RetryPolicy;
  clock: Clock;
  onBooked?: (booked: BookedBatch) => void;
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
  readonly #reader: JournalReader;
  readonly #workers = new Map<string, LaneWorker>();
  /** What was booked so far; after a failed run too. */
  readonly totals: RunTotals = { batches: 0, read: 0, records: zeros(), keyMismatches: 0 };
  #rules: Rules;
  #rulesAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#reader = new JournalReader(options.store);
    this.#rules = new Rules(options.catalogue);
  }

  /** Resolves when the source has ended or was stopped; rejects with the error that halted it. Runs once. */
  async run(): Promise<RunTotals> {
    const { store, source, publisher, catalogue } = this.#options;
    await storeCatalogue(store, catalogue);
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

  #listener(onFailure: (error: unknown) => void): SourceListener {
    const worker = ({ lane }: TopicPartition) => this.#worker(lane, onFailure);
    return {
      assign: (log: TopicPartition, bounds: LogBounds | null) => worker(log).assign(log, bounds),
      deliver: (log: TopicPartition, records: readonly RawRecord[], decode: Decoder) =>
        worker(log).deliver(log, records, decode),
      flush: (log: TopicPartition) => worker(log).flush(log),
      revoke: (log: TopicPartition) => worker(log).release(log),
    };
  }

  #worker(lane: string, onFailure: (error: unknown) => void): LaneWorker {
    let worker = this.#workers.get(lane);
    if (worker === undefined) {
      const { store, publisher, settings, retry, clock } = this.#options;
      const ports: WorkerPorts = {
        reader: this.#reader,
        book: (block) => bookBlock(store, block, retry, clock),
        publisher,
        rules: () => this.#currentRules(),
        clock,
        onBooked: (booked) => this.#booked(booked),
        onFailure,
      };
      worker = new LaneWorker(lane, ports, settings);
      this.#workers.set(lane, worker);
    }
    return worker;
  }

  async #currentRules(): Promise<Rules> {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#rulesAtMs > SUSPENSIONS_MAX_AGE_MS) {
      this.#rulesAtMs = nowMs;
      this.#rules = this.#rules.with(await this.#reader.suspensions());
    }
    return this.#rules;
  }

  #booked(booked: BookedBatch): void {
    const { log, block, summary } = booked;
    this.totals.batches++;
    this.totals.read += readOf(summary);
    this.totals.keyMismatches += block.keyMismatches;
    for (const outcome of OUTCOMES) this.totals.records[outcome] += summary.records[outcome];
    this.#options.source.acknowledge(log, block.lastOffset);
    this.#options.onBooked?.(booked);
  }
}

/** Every catalogue that a batch names stands in the store under its hash. */
async function storeCatalogue(store: Store, { hash, canonicalJson }: Catalogue): Promise<void> {
  const known = await store.query(`SELECT 1 FROM catalogues WHERE hash = ${literal(hash)} LIMIT 1`);
  if (known.length > 0) return;
  // A block and not a literal: a catalogue with a million prefixes is longer than a statement may be.
  const columns = [stringColumn('hash', [hash]), stringColumn('document', [canonicalJson])];
  await store.insertBlock(
    (source) => `INSERT INTO catalogues (hash, document) SELECT hash, document FROM ${source}`,
    structureOf(columns),
    nativeBlock(1, columns),
  );
}

function readOf({ records }: BatchSummary): number {
  return OUTCOMES.reduce((sum, outcome) => sum + records[outcome], 0);
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}
