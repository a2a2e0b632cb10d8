/** How often one subject is logged at most. */
const INTERVAL_MS = 10_000;

/**
 * Returns a function that calls `write` at once for the first event of a subject, and then at most once in ten seconds with how
 * many events there were since. What is logged about floods must not become one.
 */
export function rarely<T extends string>(write: (subject: T, times: number) => void): (subject: T) => void {
  const bySubject = new Map<T, { lastAtMs: number; times: number }>();
  return (subject) => {
    const now = performance.now();
    const known = bySubject.get(subject) ?? { lastAtMs: Number.NEGATIVE_INFINITY, times: 0 };
    bySubject.set(subject, known);
    known.times++;
    if (now - known.lastAtMs < INTERVAL_MS) return;
    write(subject, known.times);
    known.lastAtMs = now;
    known.times = 0;
  };
}
