import type { Clock } from '../../src/platform/clock.ts';

/** The owner of events: those of a dead owner never come, those of a frozen one wait for the thaw. */
export interface Owner {
  readonly name: string;
  readonly isDead: boolean;
  readonly frozenUntilMs: number;
}

interface TimedEvent {
  atMs: number;
  /** Of two events at one moment the one that was scheduled first comes first. */
  order: number;
  owner: Owner | null;
  label: string;
  call: () => void;
}

/**
 * Time that passes from event to event. Everything that takes time in a simulated run is an event here. Between two of them
 * all promises settle that can, so the same seed gives the same run.
 */
export class VirtualTime {
  nowMs = 0;
  events = 0;
  /** FNV-1a over all events: two runs with the same hash are the same run. */
  hash = 0x811c9dc5;
  /** The last events, to investigate a failure. */
  readonly trace: string[] = [];
  readonly #heap: TimedEvent[] = [];
  #order = 0;

  /** Schedules a call after a delay. Returns a function that cancels it. */
  after(delayMs: number, owner: Owner | null, label: string, call: () => void): () => void {
    const event: TimedEvent = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, owner, label, call };
    push(this.#heap, event);
    return () => {
      event.call = () => {};
    };
  }

  pause(delayMs: number, owner: Owner | null, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, owner, label, resolve);
    });
  }

  /** Runs events until `isDone`. Returns false when the events or `limits` end before. */
  async runUntil(isDone: () => boolean, limits: { ms: number; events: number }): Promise<boolean> {
    const lastEvent = this.events + limits.events;
    await promiseJobsDone();
    while (!isDone()) {
      const event = pop(this.#heap);
      if (event === undefined || event.atMs > limits.ms || this.events > lastEvent) return false;
      const { owner } = event;
      if (owner?.isDead) continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      if (owner !== null && owner.frozenUntilMs > this.nowMs) {
        push(this.#heap, { ...event, call: () => event.call(), atMs: owner.frozenUntilMs });
        continue;
      }
      this.events++;
      this.note(`${event.atMs} ${owner?.name ?? 'world'} ${event.label}`);
      event.call();
      await promiseJobsDone();
    }
    return true;
  }

  note(line: string): void {
    let hash = this.hash;
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    this.hash = hash >>> 0;
    this.trace.push(line);
    if (this.trace.length > 2000) this.trace.splice(0, 1000);
  }
}

/** A process's clock. The wall clock may be set, in both directions; the monotonic one only grows. */
export class VirtualClock implements Clock {
  readonly #time: VirtualTime;
  readonly #owner: Owner;
  #wallMs: number;

  constructor(time: VirtualTime, owner: Owner, wallMs: number) {
    this.#time = time;
    this.#owner = owner;
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs + this.#time.nowMs;
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }

  sleep(ms: number): Promise<void> {
    return this.#time.pause(ms, this.#owner, 'sleep');
  }

  after(ms: number, call: () => void): () => void {
    return this.#time.after(ms, this.#owner, 'timer', call);
  }

  step(ms: number): void {
    this.#wallMs += ms;
  }
}

/** Resolves when every promise has settled that can settle without another event. */
function promiseJobsDone(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: TimedEvent[], event: TimedEvent): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(event, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: TimedEvent[]): TimedEvent | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || last === undefined) return first;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
    if (!isBefore(heap[child], last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}
