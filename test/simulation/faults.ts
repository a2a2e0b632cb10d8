import type { Random } from '../../src/generator/random.ts';

/** All faults of a simulated run by frequency: the share of the calls that each can hit. */
const RATES = {
  insert_never_arrives: 0.05,
  insert_lands_late: 0.06,
  insert_lingers_before_commit: 0.1,
  insert_acknowledgement_lost: 0.05,
  insert_error_after_landing: 0.05,
  insert_leaves_only_its_token: 0.03,
  insert_refused: 0.03,
  insert_slow: 0.05,
  read_fails: 0.01,
  read_breaks_off: 0.03,
  read_slow: 0.02,
  publish_fails_before: 0.02,
  publish_fails_after: 0.02,
  publish_lands_late: 0.03,
  publish_slow: 0.05,
  claim_fails: 0.02,
  crash_before_call: 0.003,
  crash_after_call: 0.003,
  rebalance_unheard: 0.3,
  fetch_reaches_back: 0.1,
} as const;
/** Faults that come on their own: mean milliseconds between two. */
const INTERVALS_MS = {
  rebalance: 4000,
  eviction: 9000,
  kill: 12_000,
  freeze: 9000,
  clock_step: 6000,
  store_down: 12_000,
  suspension: 3000,
  closing: 6000,
  catalogue_change: 3000,
  graceful_stop: 20_000,
} as const;

export type CallFault = keyof typeof RATES;
export type TimedFault = keyof typeof INTERVALS_MS;
/** Faults of the topic itself, in the runs with such faults. */
export const SOURCE_FAULTS = ['retention', 'topic_recreated'] as const;
type SourceFault = (typeof SOURCE_FAULTS)[number];
export type FaultKind = CallFault | TimedFault | SourceFault;

export const CALL_FAULTS = Object.keys(RATES) as CallFault[];
export const TIMED_FAULTS = Object.keys(INTERVALS_MS) as TimedFault[];

/**
 * Decides whether a fault comes, drawn from the run's seed. A run has some kinds and not others, some often and others
 * rarely.
 */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  readonly #random: Random;
  readonly #strength = new Map<FaultKind, number>();
  #isCalm = false;

  constructor(random: Random) {
    this.#random = random;
    const share = random.pick([0, 0.3, 0.6, 1]);
    for (const kind of [...CALL_FAULTS, ...TIMED_FAULTS]) {
      if (random.uniform() < share) this.#strength.set(kind, random.pick([0.3, 1, 3]));
    }
  }

  strikes(kind: CallFault): boolean {
    if (this.#isCalm || this.#random.uniform() >= RATES[kind] * (this.#strength.get(kind) ?? 0)) return false;
    this.count(kind);
    return true;
  }

  /** Returns the milliseconds until the fault comes again; null when it never does. */
  nextMs(kind: TimedFault): number | null {
    const strength = this.#strength.get(kind);
    if (this.#isCalm || strength === undefined) return null;
    return Math.ceil((-Math.log(1 - this.#random.uniform()) * INTERVALS_MS[kind]) / strength);
  }

  count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** Ends all faults from now on. */
  calm(): void {
    this.#isCalm = true;
  }
}
