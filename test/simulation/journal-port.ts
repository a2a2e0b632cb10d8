import { NOT_RECORDED } from '../../src/journal/block-rows.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { JournalBlock } from '../../src/journal/journal-block.ts';
import { StoreError } from '../../src/platform/clickhouse/store.ts';
import type { TopicPartition } from '../../src/rating/lane.ts';
import type { PreparedCatalogue } from '../../src/rating/prepared-catalogue.ts';
import type { RestoredCounters, RestoredIdentities } from '../../src/rating/restored-columns.ts';
import { counterColumns, identityColumns } from './restored-columns.ts';
import type { SimulatedJournal } from './simulated-journal.ts';
import type { SimulatedProcess } from './simulated-process.ts';

const TIMEOUT_MS = 3000;
const LATEST_MS = 9000;

/** The store that all processes reach, and whether it answers. */
export interface SimulatedStore {
  journal: SimulatedJournal;
  downUntilMs: number;
}

export interface JournalPortOptions {
  process: SimulatedProcess;
  store: SimulatedStore;
  /** Sabotage: takes every acknowledged batch for booked. */
  trustsAcknowledgements: boolean;
  /** Sabotage: does not read through which batch quota updates were published. */
  forgetsWaiting: boolean;
}

/** One process's connection to the journal, with all of its faults. */
export class JournalPort implements Journal {
  readonly #process: SimulatedProcess;
  readonly #store: SimulatedStore;
  readonly #acknowledged: Map<string, string> | null;
  readonly #forgetsWaiting: boolean;

  constructor({ process, store, trustsAcknowledgements, forgetsWaiting }: JournalPortOptions) {
    this.#forgetsWaiting = forgetsWaiting;
    this.#process = process;
    this.#store = store;
    this.#acknowledged = trustsAcknowledgements ? new Map() : null;
  }

  insert(block: JournalBlock, deadTokens = 0): Promise<void> {
    return this.#process.call(async () => {
      await this.#insert(block, deadTokens);
      this.#acknowledged?.set(`${block.log.lane}@${block.laneSequence}`, block.digest);
    });
  }

  digestAt(lane: string, laneSequence: number) {
    const acknowledged = this.#acknowledged?.get(`${lane}@${laneSequence}`);
    if (acknowledged !== undefined) return Promise.resolve(acknowledged);
    return this.#read('digestAt', (journal) => journal.digestAt(lane, laneSequence));
  }

  head(lane: string) {
    return this.#read('head', (journal) => {
      const head = journal.head(lane);
      return this.#forgetsWaiting ? { ...head, publishedThrough: NOT_RECORDED } : head;
    });
  }

  cursor(log: TopicPartition) {
    return this.#read('cursor', (journal) => journal.cursor(log));
  }

  counters(lane: string, fromDay: number, toDay: number): AsyncIterable<RestoredCounters> {
    return this.#stream('counters', (journal) => journal.counters(lane, fromDay, toDay), counterColumns);
  }

  seen(lane: string, fromOrdinal: number, toOrdinal: number): AsyncIterable<RestoredIdentities> {
    return this.#stream('seen', (journal) => journal.seen(lane, fromOrdinal, toOrdinal), identityColumns);
  }

  /** The simulation has no files. */
  async *seenByEarlier(): AsyncIterable<RestoredIdentities> {}

  moves(lane: string, after: number, through: number) {
    return this.#read('moves', (journal) => journal.moves(lane, after, through));
  }

  facts() {
    return this.#read('facts', (journal) => journal.facts());
  }

  keepCatalogue({ hash, document }: Pick<PreparedCatalogue, 'hash' | 'document'>): Promise<void> {
    return this.#read('keepCatalogue', ({ catalogues }) => void catalogues.set(hash, Buffer.from(document).toString()));
  }

  async #insert(block: JournalBlock, deadTokens: number): Promise<void> {
    const { faults } = this.#process.world;
    await this.#process.latency('insert leaves');
    this.#assertUp();
    if (faults.strikes('insert_refused')) throw refused('too many parts');
    if (faults.strikes('insert_never_arrives')) {
      await this.#process.pause(this.#patience(), 'insert is lost');
      throw unreachable('no answer');
    }
    if (faults.strikes('insert_lands_late')) {
      this.#landLater(block, deadTokens);
      await this.#process.pause(this.#patience(), 'insert times out');
      throw unreachable('no answer in time');
    }
    if (faults.strikes('insert_slow')) await this.#process.latency('insert is slow', TIMEOUT_MS);
    await this.#land(block, deadTokens);
    if (faults.strikes('insert_error_after_landing')) throw refused('written, and then something else failed');
    if (faults.strikes('insert_acknowledgement_lost')) {
      await this.#process.pause(this.#patience(), 'acknowledgement is lost');
      throw unreachable('the connection was reset');
    }
    await this.#process.latency('insert is acknowledged');
  }

  /**
   * Commits in the store, whatever happens to the process. Resolves when the block is committed, or dropped; rejects when
   * the commit failed after the token was recorded.
   */
  #land(block: JournalBlock, deadTokens: number): Promise<void> {
    const { time, random, faults } = this.#process.world;
    const part = this.#store.journal.arrive(block, deadTokens);
    const lingers = faults.strikes('insert_lingers_before_commit');
    const commitMs = lingers ? random.integer(100, LATEST_MS) : random.integer(0, 5);
    const fails = faults.strikes('insert_leaves_only_its_token');
    return new Promise((resolve, reject) => {
      time.after(commitMs, null, `commit ${block.log.lane}@${block.laneSequence}`, () => {
        this.#store.journal.commit(part, fails);
        // The answer meets the process as it is then: dead, frozen or alive.
        const answer = fails ? () => reject(refused('no space left on device')) : resolve;
        time.after(0, this.#process, 'insert is committed', answer);
      });
    });
  }

  #landLater(block: JournalBlock, deadTokens: number): void {
    const { time, random } = this.#process.world;
    time.after(random.integer(1, LATEST_MS), null, `late insert ${block.log.lane}@${block.laneSequence}`, () => {
      try {
        this.#land(block, deadTokens).catch(() => {});
      } catch {
        // The guard has refused it, and no caller waits for the answer.
      }
    });
  }

  #read<T>(label: string, read: (journal: SimulatedJournal) => T): Promise<T> {
    const { faults } = this.#process.world;
    return this.#process.call(async () => {
      await this.#process.latency(`${label} leaves`);
      this.#assertUp();
      if (faults.strikes('read_fails')) throw unreachable(`${label}: connection refused`);
      const answer = read(this.#store.journal);
      const isSlow = faults.strikes('read_slow');
      await this.#process.latency(`${label} is answered`, isSlow ? TIMEOUT_MS : 20);
      return answer;
    });
  }

  async *#stream<Row, Columns>(
    label: string,
    read: (journal: SimulatedJournal) => Row[],
    columns: (rows: readonly Row[]) => Columns,
  ): AsyncIterable<Columns> {
    const { faults, random } = this.#process.world;
    const rows = await this.#read(label, read);
    const breaksOff = faults.strikes('read_breaks_off');
    const whole = breaksOff ? random.integer(0, rows.length) : rows.length;
    yield columns(rows.slice(0, whole));
    if (breaksOff) throw unreachable(`${label}: the answer broke off`);
  }

  #assertUp(): void {
    if (this.#store.downUntilMs > this.#process.world.time.nowMs) throw unreachable('connection refused');
  }

  /** Draws the time until a caller gets the error: at once, or after its time-out. */
  #patience(): number {
    return this.#process.world.random.pick([1, 50, TIMEOUT_MS]);
  }
}

function unreachable(message: string): StoreError {
  return new StoreError('store_unreachable', message, { canRetry: true });
}

function refused(message: string): StoreError {
  return new StoreError('store_refused', message, { canRetry: true });
}
