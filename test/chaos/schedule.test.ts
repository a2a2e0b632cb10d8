import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAILPOINTS } from './failpoints.ts';
import { drawSchedule, nameOf, type ScheduledFault } from './schedule.ts';

const options = { seed: 7, faults: 60, engines: 3, sessionTimeoutMs: 3000, mix: 'all' } as const;

function kindOf({ fault }: ScheduledFault): string {
  if (fault.kind === 'requests') return fault.fault.kind;
  return fault.kind === 'failpoint' ? `${fault.failpoint.action} ${fault.failpoint.name}` : fault.kind;
}

test('the same seed gives the same faults, another seed others', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 300 }), (seed, faults) => {
      const drawn = drawSchedule({ ...options, seed, faults });
      expect(drawSchedule({ ...options, seed, faults })).toEqual(drawn);
      expect(drawn).toHaveLength(faults);
      expect(drawn[0].overlaps).toBe(false);
    }),
  );
  expect(drawSchedule({ ...options, seed: 8 })).not.toEqual(drawSchedule(options));
});

test('every kind comes, with any seed', () => {
  const others = 'kill zombie restart broker_restart churn store_down store_cut_off store_killed disk_full';
  const ofRequests = 'slow reset_in_body truncated_body answer_dropped lands_late lands_with_next reset_in_answer';
  const atFailpoints = FAILPOINTS.flatMap((name) => [`kill ${name}`, `stop ${name}`]);
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const kinds = new Set(drawSchedule({ ...options, seed }).map(kindOf));
      expect([...kinds].sort()).toEqual([...atFailpoints, ...`${others} ${ofRequests}`.split(' ')].sort());
    }),
  );
});

test('the short run has every cheap kind', () => {
  const kinds = new Set(drawSchedule({ ...options, mix: 'cheap', faults: 25 }).map(({ fault }) => fault.kind));
  expect(kinds.size).toBeGreaterThanOrEqual(7);
  expect(kinds).not.toContain('churn');
});

test('every fault has a line for the table', () => {
  for (const { fault } of drawSchedule(options)) expect(nameOf(fault)).toMatch(/\w/);
});
