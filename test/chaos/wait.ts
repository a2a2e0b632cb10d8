import { setTimeout as pause } from 'node:timers/promises';

const CHECK_INTERVAL_MS = 50;

/** Polls a condition. Resolves with whether it became true in time. */
export async function becomesTrue(isTrue: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > giveUpAtMs) return false;
    await pause(CHECK_INTERVAL_MS);
  }
  return true;
}

/** Serialises faults of one thing, by the thing's name. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(work);
    this.#last.set(
      name,
      turn.catch(() => undefined),
    );
    return turn;
  }
}
