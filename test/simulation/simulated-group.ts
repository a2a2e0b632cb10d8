import type { SimulatedProcess, World } from './simulated-process.ts';

/** A member of the consumer group. */
export interface Member {
  process: SimulatedProcess;
  /** Called with the member's partitions, which replace its former ones. */
  joined(partitions: readonly number[]): void;
}

const SOON_MS = 100;
const LATE_MS = 6000;

/**
 * The group's coordinator. Every member learns of its partitions after a delay: until then it continues with its former
 * ones, beside the new owner.
 */
export class SimulatedGroup {
  readonly #world: World;
  readonly #partitions: number;
  readonly #members = new Set<Member>();
  readonly #heard = new Map<Member, number>();
  /** The advisory offsets: the offset after the last delivered record. */
  readonly positions = new Map<number, number>();
  #generation = 0;

  constructor(world: World, partitions: number) {
    this.#world = world;
    this.#partitions = partitions;
  }

  join(member: Member): void {
    this.#members.add(member);
    this.rebalance();
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.rebalance();
  }

  /** Ends the session of a process: its member does not know it yet, and joins again once it does. */
  evict(process: SimulatedProcess): void {
    const { time, random } = this.#world;
    for (const member of [...this.#members].filter((candidate) => candidate.process === process)) {
      this.leave(member);
      time.after(
        this.#world.faults.isCalm ? SOON_MS : random.integer(1, LATE_MS),
        process,
        'learns of its eviction',
        () => this.join(member),
      );
    }
  }

  /** Removes a member for good: also one that would have joined again. */
  forget(member: Member): void {
    this.#heard.set(member, Number.POSITIVE_INFINITY);
    this.leave(member);
  }

  rebalance(): void {
    const { time, random, faults } = this.#world;
    const generation = ++this.#generation;
    const members = [...this.#members].filter((member) => this.#heard.get(member) !== Number.POSITIVE_INFINITY);
    const shares = new Map<Member, number[]>(members.map((member) => [member, []]));
    for (let partition = 0; partition < this.#partitions && members.length > 0; partition++) {
      shares.get(random.pick(members))?.push(partition);
    }
    for (const [member, partitions] of shares) {
      const isLate = faults.strikes('rebalance_unheard');
      const label = `joined generation ${generation} with [${partitions}]`;
      time.after(random.integer(1, isLate ? LATE_MS : SOON_MS), member.process, label, () => {
        if ((this.#heard.get(member) ?? 0) >= generation) return;
        this.#heard.set(member, generation);
        member.joined(partitions);
      });
    }
  }
}
