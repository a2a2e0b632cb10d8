import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changeList, type DatedPrefix, latestList } from './dated-prefixes.ts';
import { compareLists } from './list-difference.ts';
import { parsePart, partText } from './part-text.ts';

const POOL = [
  '192.0.2.0/24',
  '192.0.2.0/24 tcp 443,5000-5999',
  '192.0.2.0/24 99',
  '192.0.2.0/25',
  '198.51.100.7/32',
  '203.0.113.0/24',
  '2001:db8::/32',
  '2001:db8:1::/48',
];
const MINUTES = 40;
const minute = (n: number) => Date.UTC(2026, 2, 1, 0, n);
/** Approvals in their order; each at a time, for itself or a later one. */
const changes = fc.array(fc.record({ list: fc.subarray(POOL, { minLength: 1 }), waits: fc.nat(4), ahead: fc.nat(6) }), {
  minLength: 1,
  maxLength: 8,
});
const SEED = Number(process.env.EVIDENCE_SEED ?? Date.now() % 2 ** 31);

/** At each minute the prefixes in force, sorted. */
const timeline = (inForce: (minute: number) => readonly string[]) =>
  Array.from({ length: MINUTES }, (_, n) => [...inForce(n)].sort());
const timelineOf = (prefixes: readonly DatedPrefix[]) =>
  timeline((n) =>
    prefixes.filter(({ fromMs, toMs }) => minute(n) >= fromMs && minute(n) < toMs).map(({ prefix }) => prefix),
  );

test(`differences applied in a row give at each time exactly the list in force (EVIDENCE_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(changes, fc.subarray(POOL), (approvals, always) => {
      let prefixes: DatedPrefix[] = always.map((prefix) => ({
        prefix,
        fromMs: Number.NEGATIVE_INFINITY,
        toMs: Number.POSITIVE_INFINITY,
      }));
      let now = 0;
      let list: readonly string[] = always;
      const inForce: { from: number; list: readonly string[] }[] = [{ from: 0, list: always }];
      for (const approval of approvals) {
        now += approval.waits;
        const from = now + approval.ahead;
        // The differences alone give the lists, whatever was scheduled.
        const { added, removed } = compareLists(latestList(prefixes), approval.list);
        list = [...list.filter((prefix) => !removed.includes(prefix)), ...added];
        inForce.push({ from, list });
        prefixes = changeList(prefixes, approval.list, minute(from));
        const again = changeList(prefixes, approval.list, minute(from));
        const read = parsePart(partText({ ...PART, prefixes }), 'part').prefixes;
        // A later approval overrides what an earlier one has scheduled, and never what is past.
        const expected = timeline((n) => inForce.findLast(({ from }) => from <= n)?.list ?? []);
        expect([timelineOf(prefixes), again, read]).toEqual([expected, prefixes, prefixes]);
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});

const PART = { application: 'chat', feed: 'f', fetchedAt: '2026-03-01T00:00:00Z' };

test('a prefix that goes and comes back has two spans; one that stays has one', () => {
  const [first, second, third] = [0, 5, 9].map(minute);
  const added = changeList([], ['192.0.2.0/24', '203.0.113.0/24'], first);
  const removed = changeList(added, ['203.0.113.0/24'], second);
  const back = changeList(removed, ['203.0.113.0/24', '192.0.2.0/24'], third);
  expect(
    partText({ ...PART, prefixes: back }),
  ).toBe(`# Written by \`zerorate evidence approve\`; \`zerorate evidence show\` reports a change by hand.
application: "chat"
feed: "f"
fetchedAt: "2026-03-01T00:00:00Z"
prefixes:
  - { cidr: "192.0.2.0/24", from: 2026-03-01T00:00:00Z, to: 2026-03-01T00:05:00Z }
  - { cidr: "192.0.2.0/24", from: 2026-03-01T00:09:00Z }
  - { cidr: "203.0.113.0/24", from: 2026-03-01T00:00:00Z }
`);
});
