import type { Clock } from '../../platform/clock.ts';

/** Time that passes when the test says so: what is due meanwhile is called at its time. */
export function passingClock(): Clock & { ms: number; pass: (ms: number) => Promise<void> } {
  let timers: { atMs: number; call: () => void }[] = [];
  const clock = {
    ms: 1000,
    nowMs: () => clock.ms,
    monotonicMs: () => clock.ms,
    sleep: async () => {},
    after(ms: number, call: () => void) {
      const timer = { atMs: clock.ms + ms, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    async pass(ms: number) {
      const untilMs = clock.ms + ms;
      for (;;) {
        const [next] = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers = timers.filter((each) => each !== next);
        clock.ms = next.atMs;
        next.call();
        await settled();
      }
      clock.ms = untilMs;
      await settled();
    },
  };
  return clock;
}

const settled = () => new Promise(setImmediate);
