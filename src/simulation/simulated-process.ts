import type { Random } from '../generator/random.ts';
import type { Faults } from './faults.ts';
import { type Owner, VirtualClock, type VirtualTime } from './virtual-time.ts';

/** What all parts of a simulated run share. */
export interface World {
  time: VirtualTime;
  random: Random;
  faults: Faults;
}

/** A process that an engine runs in. After a crash none of its promises settles any more, and nothing it calls happens. */
export class SimulatedProcess implements Owner {
  readonly name: string;
  readonly world: World;
  readonly clock: VirtualClock;
  isDead = false;
  frozenUntilMs = 0;
  readonly #onCrash: () => void;

  constructor(name: string, world: World, wallMs: number, onCrash: () => void) {
    this.name = name;
    this.world = world;
    this.clock = new VirtualClock(world.time, this, wallMs);
    this.#onCrash = onCrash;
  }

  /** A call that leaves the process: it may die just before, or after it was carried out and before it hears of it. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.#mayCrash('crash_before_call');
    if (this.isDead) return never();
    const result = await work().then(
      (value) => () => value,
      (error) => () => {
        throw error;
      },
    );
    this.#mayCrash('crash_after_call');
    return this.isDead ? never() : result();
  }

  /** Waits on the process's own time: for as long as it is frozen, and for ever once it is dead. */
  pause(ms: number, label: string): Promise<void> {
    return this.world.time.pause(ms, this, label);
  }

  /** Between one and `mostMs` milliseconds, mostly few. */
  latency(label: string, mostMs = 20): Promise<void> {
    return this.pause(1 + Math.floor(this.world.random.uniform() ** 2 * mostMs), label);
  }

  crash(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.world.time.note(`${this.name} is dead`);
    this.#onCrash();
  }

  #mayCrash(kind: 'crash_before_call' | 'crash_after_call'): void {
    if (!this.isDead && this.world.faults.strikes(kind)) this.crash();
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}
