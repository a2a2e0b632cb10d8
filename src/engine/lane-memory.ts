import type { PseudonymKey } from '../billing/pseudonym.ts';
import type { Journal } from '../journal/journal.ts';
import { type RecoveredLane, recoverLane } from './recovery.ts';

/** Counters of periods that began this many days ago and later are in memory; older ones are read when a record needs them. */
export const OPEN_DAYS = 40;
/** After so many days the lane is read anew, which lets go of the counters of periods that have ended. */
const REFRESH_DAYS = 7;

export interface MemorySettings {
  pseudonymKey: PseudonymKey;
  duplicateWindowRecords: number;
}

/** A lane's copy of what the journal holds. It is thrown away after any failure, and read back when it is needed. */
export class LaneMemory {
  readonly #name: string;
  readonly #journal: Journal;
  readonly #settings: MemorySettings;
  #recovered: RecoveredLane | null = null;
  #recoveredDay = 0;

  constructor(name: string, journal: Journal, settings: MemorySettings) {
    this.#name = name;
    this.#journal = journal;
    this.#settings = settings;
  }

  /** `onRecovered` is called when the lane had to be read. */
  async recovered(today: number, onRecovered: (lane: RecoveredLane) => Promise<void>): Promise<RecoveredLane> {
    if (this.#recovered !== null) return this.#recovered;
    const recovered = await recoverLane(this.#journal, this.#name, {
      ...this.#settings,
      horizonDay: today - OPEN_DAYS,
    });
    await onRecovered(recovered);
    this.#recovered = recovered;
    this.#recoveredDay = today;
    return recovered;
  }

  /** Another process has booked in this lane since: then the copy is of no use. */
  forgetUnless(sequence: number): void {
    if (this.#recovered?.head.sequence !== sequence) this.forget();
  }

  isOld(today: number): boolean {
    return this.#recovered !== null && today - this.#recoveredDay >= REFRESH_DAYS;
  }

  forget(): void {
    this.#recovered = null;
  }
}
