import { afterAll, describe, expect, test } from 'vitest';
import { SABOTAGES, type Sabotage } from './engine-slot.ts';
import { CALL_FAULTS, type FaultKind, SOURCE_FAULTS, TIMED_FAULTS } from './faults.ts';
import { type SimulationResult, simulate } from './simulate.ts';

/** `SIMULATION_SEED=<first> SIMULATION_SEEDS=<count> npm run test:simulation` runs other seeds, or more. */
const FIRST_SEED = Number(process.env.SIMULATION_SEED ?? 1);
const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 1000);
const CHUNK = 100;
const LONG_MS = 600_000;

const counts = new Map<FaultKind, number>();

/** Returns what an investigation needs: the seed, the violations, and how the run ended. */
function report({ seed, findings, trace }: SimulationResult): string {
  const lines = findings.slice(0, 10).map(({ invariant, message }) => `  ${invariant}: ${message}`);
  const again = `SIMULATION_SEED=${seed} SIMULATION_SEEDS=1 npm run test:simulation`;
  return [`seed ${seed}, again with ${again}`, ...lines, ...trace.slice(-40)].join('\n');
}

describe(`bookings and reports are correct after any faults: ${SEEDS} seeds from ${FIRST_SEED}`, () => {
  const chunks = Array.from({ length: Math.ceil(SEEDS / CHUNK) }, (_, index) => FIRST_SEED + index * CHUNK);
  test.each(chunks)('from seed %i', { timeout: LONG_MS }, async (first) => {
    for (let seed = first; seed < Math.min(first + CHUNK, FIRST_SEED + SEEDS); seed++) {
      const result = await simulate(seed);
      for (const [kind, times] of result.faults) counts.set(kind, (counts.get(kind) ?? 0) + times);
      if (result.findings.length > 0) expect.fail(report(result));
    }
  });

  test.runIf(SEEDS >= 1000)('every kind of fault occurs', () => {
    expect([...counts.keys()].sort()).toEqual([...CALL_FAULTS, ...TIMED_FAULTS, ...SOURCE_FAULTS].sort());
  });

  afterAll(() => console.log(`faults by kind: ${JSON.stringify(Object.fromEntries(counts))}`));
});

test('a seed is a run', { timeout: LONG_MS }, async () => {
  const [once, again, other] = [await simulate(11), await simulate(11), await simulate(12)];
  expect(again).toEqual(once);
  expect(other.hash).not.toBe(once.hash);
});

describe('the invariants detect a removed guard', () => {
  const noticedBy: Record<Sabotage, string> = {
    guard_off: 'chain',
    token_off: 'chain',
    position_trusted: 'source',
    acknowledgement_trusted: 'reported',
    claims_off: 'quotas',
    waiting_forgotten: 'quotas',
  };
  test.each(SABOTAGES)('%s', { timeout: LONG_MS }, async (sabotage) => {
    for (let seed = 1; seed <= 300; seed++) {
      const { findings } = await simulate(seed, sabotage);
      if (findings.some(({ invariant }) => invariant === noticedBy[sabotage])) return;
    }
    expect.fail('300 seeds, and nothing was detected');
  });
});
