import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BufferBudget, type BufferHolder, type BufferScope } from './buffer-budget.ts';
import type { ProxySession } from './proxy-session.ts';

const LIMITS = { perSessionBytes: 100, perSubscriberBytes: 150, totalBytes: 200 };
const sessionOf = (sessionId: string, subscriber: string) => ({ terms: { sessionId, subscriber } }) as ProxySession;

class Holder implements BufferHolder {
  readonly overflows: BufferScope[] = [];
  overflow(scope: BufferScope): void {
    this.overflows.push(scope);
  }
}

test.each<[BufferScope, [string, string, number][], number]>([
  [
    'session',
    [
      ['s1', 'a', 40],
      ['s1', 'a', 50],
      ['s1', 'a', 20],
    ],
    1,
  ],
  [
    'subscriber',
    [
      ['s1', 'a', 90],
      ['s2', 'a', 40],
      ['s3', 'a', 30],
    ],
    0,
  ],
  [
    'total',
    [
      ['s1', 'a', 60],
      ['s2', 'b', 70],
      ['s3', 'c', 65],
      ['s4', 'd', 10],
    ],
    1,
  ],
])('what exceeds the limit of a %s costs the largest of its connections', (scope, holds, victim) => {
  const budget = new BufferBudget(LIMITS);
  const holders = holds.map(([sessionId, subscriber, bytes]) => {
    const holder = new Holder();
    budget.hold(holder, sessionOf(sessionId, subscriber), bytes);
    return holder;
  });
  expect(holders.map(({ overflows }) => overflows)).toEqual(holders.map((_, at) => (at === victim ? [scope] : [])));
  expect(budget.closed).toEqual({ session: 0, subscriber: 0, total: 0, [scope]: 1 });
});

test('no order of what is held and released exceeds a limit, and what is counted is what is held', () => {
  const step = fc.record({ holder: fc.nat(9), bytes: fc.nat(120) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new BufferBudget(LIMITS);
      const held = new Map<number, number>();
      const holders = Array.from({ length: 10 }, (_, at) => ({ overflow: () => void held.delete(at) }));
      for (const { holder, bytes } of steps) {
        held.set(holder, bytes);
        budget.hold(holders[holder], sessionOf(`s${holder % 5}`, `a${holder % 3}`), bytes);
        const sum = (isOf: (at: number) => boolean) =>
          [...held].reduce((total, [at, own]) => total + (isOf(at) ? own : 0), 0);
        expect(budget.bytes).toBe(sum(() => true));
        expect(budget.bytes).toBeLessThanOrEqual(LIMITS.totalBytes);
        expect(budget.isFull).toBe(budget.bytes >= LIMITS.totalBytes * 0.9);
        for (let at = 0; at < 5; at++)
          expect(sum((each) => each % 5 === at)).toBeLessThanOrEqual(LIMITS.perSessionBytes);
        for (let at = 0; at < 3; at++)
          expect(sum((each) => each % 3 === at)).toBeLessThanOrEqual(LIMITS.perSubscriberBytes);
      }
      for (const holder of holders) budget.release(holder);
      expect(budget.bytes).toBe(0);
    }),
  );
});
