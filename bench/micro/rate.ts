import assert from 'node:assert/strict';
import { summarise } from '../../src/rating/batch-summary.ts';
import { type FlowBatch, UNDECIDED } from '../../src/rating/flow-record.ts';
import type { Lane } from '../../src/rating/lane.ts';
import { classifyBatch, rateBatch } from '../../src/rating/pipeline.ts';
import type { Rules } from '../../src/rating/rules.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import { rulesOf, type Tier, taggedApplications } from './catalogues.ts';
import { admitted, avroBatches, inTurns, newLane } from './traffic.ts';

const BATCHES = 16;
const APPLICATIONS = 100;
/** Every subscriber passes the first of them within a few records, and none the last. */
const FIVE_TIERS: readonly Tier[] = [
  ...[1e4, 1e6, 1e8, 1e10].map((upToOctets, i) => ({ upToOctets, pricePerMiB: `0.0${5 - i}` })),
  { upToOctets: null, pricePerMiB: '0.01' },
];

export interface Classified {
  batches: FlowBatch[];
  lane: Lane;
  rules: Rules;
}

/** Batches that wait to be rated. */
export function classified(
  records: number,
  seed: number,
  tiers?: readonly Tier[],
  howMany: number = BATCHES,
): Classified {
  const targets = taggedApplications(APPLICATIONS);
  const rules = rulesOf(targets, tiers);
  const lane = newLane();
  const batches = avroBatches(targets, seed, howMany, records).map((values) => {
    const batch = admitted(values, lane, rules);
    classifyBatch(batch, lane, rules);
    lane.position += batch.count;
    return batch;
  });
  return { batches, lane, rules };
}

/** `rateBatch`: counters found, content, share, quota and price. */
export function rateGroup(records: number, seed: number): BenchmarkGroup {
  const prepare = (tiers?: readonly Tier[]) => (): Prepared => {
    const { batches, lane, rules } = classified(records, seed, tiers);
    const next = inTurns(batches);
    let batch = batches[0];
    const before = () => {
      batch = next();
      batch.reason.fill(UNDECIDED);
    };
    return { records, before, work: () => rateBatch(batch, lane, rules), after: async () => assertCharged(batch) };
  };
  return {
    name: 'rate',
    benchmarks: [
      { name: 'one price tier', prepare: prepare() },
      { name: 'five price tiers', prepare: prepare(FIVE_TIERS) },
    ],
  };
}

/** Every record is charged, and each of its octets has a payer. */
export function assertCharged(batch: FlowBatch): void {
  assert.equal(summarise(batch).records.charged, batch.count);
  for (let row = 0; row < batch.count; row++) assert.ok(batch.sponsoredOctets[row] <= batch.octets(row));
  assert.ok(batch.chargeMicros.some((micros) => micros > 0));
}
