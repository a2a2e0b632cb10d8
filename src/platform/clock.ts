/** Time as a dependency, so that tests give another one. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. May jump, in either direction. */
  nowMs(): number;
  /** Milliseconds since some moment; only grows. Durations are measured with it. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  /** Calls once, after so long. Returns a function that takes it back. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};
