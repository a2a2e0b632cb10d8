import type { Random } from '../../src/generator/random.ts';
import type { Faults } from './faults.ts';
import { type Owner, VirtualClock, type VirtualTime } from './virtual-time.ts';

/** The shared parts of a simulated run. */
export interface World {
  time: VirtualTime;
  random: Random;
  faults: Faults;
}

/** A process that an engine runs in. After a crash none of its promises settles, and its calls have no effect. */
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

  /** Makes a call that leaves the process: it may die just before, or after the call was done and before its answer. */
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

  /** Waits on the process's own time: as long as it is frozen, and for ever once it is dead. */
  pause(ms: number, label: string): Promise<void> {
    return this.world.time.pause(ms, this, label);
  }

  /** Waits between one and `mostMs` milliseconds, mostly few. */
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
