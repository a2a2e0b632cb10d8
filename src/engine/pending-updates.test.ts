import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quotaUpdate, quotaUpdates } from '../journal/quota-update.fixture.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { PendingUpdates } from './pending-updates.ts';

const keyOf = ({ subscriber, planId }: QuotaUpdate) => `${subscriber}|${planId}`;
const sorted = (updates: Iterable<QuotaUpdate>) =>
  [...updates].toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)) || a.version - b.version);

/** An update of one of so many subscribers, of which some begin with the same octets. */
function anyUpdate(subscribers: number): fc.Arbitrary<QuotaUpdate> {
  return fc
    .record({
      who: fc.nat(subscribers - 1),
      planId: fc.constantFrom('day', 'month', 'week'),
      periodStart: fc.constantFrom(20_000, 20_001),
      usedOctets: fc.nat(),
      remainingOctets: fc.nat(),
      thresholdReached: fc.constantFrom(0, 8000),
      offset: fc.nat(),
    })
    .map(({ who, ...fields }) =>
      quotaUpdate({ ...fields, subscriber: who.toString(16).padStart(32, who % 3 === 0 ? '0' : 'f') }),
    );
}

/** A batch has one update of each subscriber and plan. */
const anyBatch = (subscribers: number, most: number) =>
  fc.uniqueArray(fc.tuple(anyUpdate(subscribers), fc.boolean()), {
    selector: ([update]) => keyOf(update),
    maxLength: most,
  });

test.each([
  ['few subscribers, often', 5, 8],
  ['many, of whom most come once', 5000, 300],
])('they are what a map by subscriber and plan holds: %s', (_name, subscribers, most) => {
  const anyRun = fc.array(fc.tuple(anyBatch(subscribers, most), fc.constantFrom('wait', 'urgent', 'take')), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(anyRun, (run) => {
      const pending = new PendingUpdates();
      const expected = new Map<string, QuotaUpdate>();
      for (const [version, [batch, then]] of run.entries()) {
        const list = batch.map(([update]) => ({ ...update, version }));
        const updates = quotaUpdates(list);
        updates.urgent.push(...batch.flatMap(([, isUrgent], at) => (isUrgent ? [at] : [])));
        pending.merge(updates);
        for (const update of list) expected.set(keyOf(update), update);
        if (then === 'urgent') {
          const urgent = list.filter((_, at) => updates.urgent.includes(at));
          expect([...pending.takeUrgent(updates)]).toEqual(urgent);
          for (const update of urgent) expected.delete(keyOf(update));
        }
        expect(pending.length).toBe(expected.size);
        if (then !== 'take') continue;
        expect(sorted(pending.take())).toEqual(sorted(expected.values()));
        expected.clear();
      }
      expect(sorted(pending.take())).toEqual(sorted(expected.values()));
      expect(pending.length).toBe(0);
    }),
  );
});

test('what is taken has the heads of its own updates only, and memory is given back', () => {
  const pending = new PendingUpdates();
  const atRest = pending.bytes;
  const batch = (version: number) =>
    quotaUpdates(
      Array.from({ length: 5000 }, (_, at) => {
        const subscriber = Buffer.alloc(16);
        subscriber.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0);
        return quotaUpdate({ subscriber: subscriber.toString('hex'), version });
      }),
    );
  for (const version of [1, 2]) pending.merge(batch(version));
  expect(pending.bytes).toBeGreaterThan(5000 * 46);
  const taken = pending.take();
  expect([taken.length, taken.heads.length]).toEqual([5000, 5000]);
  expect(taken.heads.every(({ version }) => version === 2)).toBe(true);
  expect(pending.bytes).toBe(atRest);
});
