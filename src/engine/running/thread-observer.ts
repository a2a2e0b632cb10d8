import type { Health } from '../../platform/http/health.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { EngineEvents } from '../book-batch.ts';

/** A part of the process has a problem while one of the threads has it. */
export class ThreadHealth {
  readonly #health: Pick<Health, 'report'>;
  /** By part, by thread. */
  readonly #problems = new Map<string, Map<number, string>>();

  constructor(health: Pick<Health, 'report'>) {
    this.#health = health;
  }

  /** The health as that thread reports it. */
  of(thread: number): Pick<Health, 'report'> {
    return { report: (part, problem) => this.#report(thread, part, problem) };
  }

  #report(thread: number, part: string, problem: string | null): void {
    const problems = this.#problems.get(part) ?? new Map<number, string>();
    this.#problems.set(part, problems);
    if (problem === null) problems.delete(thread);
    else problems.set(thread, problem);
    const [first = null] = problems.values();
    this.#health.report(part, first);
  }
}

/**
 * Passes on the events of all threads, as if one engine had them. A lane that moves from one thread to another is often released by
 * the first only after the second has it: that release is of no meaning.
 */
export class ThreadEvents {
  readonly #events: EngineEvents;
  readonly #holders = new Map<string, { thread: number; log: TopicPartition }>();

  constructor(events: EngineEvents) {
    this.#events = events;
  }

  /** The events as that thread reports them. */
  of(thread: number): EngineEvents {
    return {
      ...this.#events,
      onAssigned: (log, cursor) => {
        this.#holders.set(log.lane, { thread, log });
        this.#events.onAssigned(log, cursor);
      },
      onReleased: (log) => this.#release(thread, log),
    };
  }

  /** The thread's engine has ended, and holds nothing. */
  releaseAll(thread: number): void {
    for (const { log } of this.#holders.values()) this.#release(thread, log);
  }

  #release(thread: number, log: TopicPartition): void {
    if (this.#holders.get(log.lane)?.thread !== thread) return;
    this.#holders.delete(log.lane);
    this.#events.onReleased(log);
  }
}
