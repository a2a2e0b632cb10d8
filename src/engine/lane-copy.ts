import type { LogCursor } from '../journal/journal.ts';
import type { TopicPartition } from '../rating/lane.ts';
import { ReachedThresholds } from '../rating/quota-updates.ts';
import type { WorkerPorts, WorkerSettings } from './book-batch.ts';
import type { LaneQuotas } from './lane-quotas.ts';
import { DAY_MS } from './open-batch.ts';
import { OPEN_DAYS, type RecoveredLane, recoverLane, unpublishedUpdates } from './recovery.ts';
import { bookedLog } from './resume-offset.ts';

/** After so long without a log a lane's memory is let go of: rebalances are over, and the next file has come. */
const IDLE_MEMORY_MS = 60_000;
/** After so many days the lane is read again, which discards the counters of periods that have ended. */
const REFRESH_DAYS = 7;

/** A log's cursor, in one state of the journal with the lane's copy. */
interface CopiedCursor {
  /** The log, under the name that it is booked under. */
  booked: TopicPartition;
  cursor: LogCursor;
  isBegun: boolean;
}

/**
 * A lane's copy of what the journal holds. It can be thrown away at any time, and is read back when it is asked for; what may
 * not have been published of the lane is published then.
 */
export class LaneCopy {
  readonly #name: string;
  readonly #ports: WorkerPorts;
  readonly #settings: WorkerSettings;
  readonly #quotas: LaneQuotas;
  /** Null where it must be read first. */
  #lane: RecoveredLane | null = null;
  /** The day on which it was read. */
  #recoveredDay = 0;
  /** Takes the timer back that forgets a released lane, while it runs. */
  #discardTimer: (() => void) | null = null;
  #isClosed = false;

  constructor(name: string, ports: WorkerPorts, settings: WorkerSettings, quotas: LaneQuotas) {
    this.#name = name;
    this.#ports = ports;
    this.#settings = settings;
    this.#quotas = quotas;
  }

  get today(): number {
    return Math.floor(this.#ports.clock.nowMs() / DAY_MS);
  }

  /** It is to be discarded, and read again. */
  get isOld(): boolean {
    return this.#lane !== null && this.today - this.#recoveredDay >= REFRESH_DAYS;
  }

  /** Rejects with what the journal or the publisher rejects with. */
  async recovered(): Promise<RecoveredLane> {
    if (this.#lane !== null) return this.#lane;
    const { journal, rules } = this.#ports;
    const today = this.today;
    const lane = await recoverLane(journal, this.#name, { ...this.#settings, horizonDay: today - OPEN_DAYS });
    const { catalogue } = await rules();
    const updates = await unpublishedUpdates(journal, this.#name, lane, catalogue);
    await this.#quotas.recover(updates, lane.head.sequence);
    if (this.#quotas.hasInterval) lane.reached = new ReachedThresholds();
    this.#lane = lane;
    this.#recoveredDay = today;
    return lane;
  }

  /**
   * The log's cursor, from the same state of the journal as the copy: a batch that was booked in between would be behind the
   * cursor, and its quota updates would not be published before the next record comes.
   */
  async cursor(log: TopicPartition): Promise<CopiedCursor> {
    const { journal } = this.#ports;
    let { sequence } = await journal.head(this.#name);
    for (;;) {
      // Another process has booked in this lane since: then the copy is of no use.
      if (this.#lane?.head.sequence !== sequence) this.discard();
      const { head } = await this.recovered();
      const booked = bookedLog(log, head.topic);
      const cursor = await journal.cursor(booked);
      ({ sequence } = await journal.head(this.#name));
      if (sequence === head.sequence)
        return { booked, cursor, isBegun: cursor.offset >= 0 || head.topic === booked.topic };
    }
  }

  discard(): void {
    this.#lane = null;
    this.#quotas.discard();
  }

  /** A lane that does not come back is another process's: its window and counters here are of no use. */
  discardLater(discard: () => void): void {
    if (this.#isClosed) return;
    this.#discardTimer ??= this.#ports.clock.after(IDLE_MEMORY_MS, () => {
      this.#discardTimer = null;
      discard();
    });
  }

  /** From then on nothing waits for time to pass. */
  close(): void {
    this.#isClosed = true;
    this.#discardTimer?.();
    this.#discardTimer = null;
  }
}
