import assert from 'node:assert/strict';
import { FlowBatch } from '../../src/rating/flow-record.ts';
import type { Incoming, IngestContext } from '../../src/rating/incoming.ts';
import type { Lane } from '../../src/rating/lane.ts';
import { admit } from '../../src/rating/pipeline.ts';
import type { Rules } from '../../src/rating/rules.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import { rulesOf, taggedApplications } from './catalogues.ts';
import { avroBatches, context, decoder, inTurns, newLane } from './traffic.ts';

const BATCHES = 16;

/** Without the direct reader of plain Avro: every record is decoded into an object, and that is validated. */
const longWay: IngestContext = { ...context, decode: (value) => decoder(value) };

interface Side {
  batch: FlowBatch;
  fill: (records: readonly Incoming[]) => void;
}

function side(context: IngestContext, records: number, lane: Lane, rules: Rules): Side {
  const batch = new FlowBatch(records);
  const fill = (values: readonly Incoming[]) => {
    admit(batch, values, context, lane, rules);
  };
  return { batch, fill };
}

/** Avro values into a batch's columns: decoded, validated, subscribers and tags looked up. */
export function decodeGroup(records: number, seed: number): BenchmarkGroup {
  const prepare = (measured: IngestContext) => (): Prepared => {
    const targets = taggedApplications(100);
    const batches = avroBatches(targets, seed, BATCHES, records);
    const rules = rulesOf(targets);
    for (const values of batches) assertSameBatch(values, rules);
    const { batch, fill } = side(measured, records, newLane(), rules);
    const next = inTurns(batches);
    let values: readonly Incoming[] = [];
    // Only a subscriber's first record costs a pseudonym.
    for (const first of batches) {
      fill(first);
      batch.clear();
    }
    const before = () => {
      batch.clear();
      values = next();
    };
    return { records, before, work: () => fill(values) };
  };
  return {
    name: 'decode',
    benchmarks: [
      { name: 'avsc and validation', prepare: prepare(longWay) },
      { name: 'read from the octets', prepare: prepare(context) },
    ],
  };
}

function assertSameBatch(values: readonly Incoming[], rules: Rules): void {
  const [long, direct] = [longWay, context].map((measured) => {
    const { batch, fill } = side(measured, values.length, newLane(), rules);
    fill(values);
    return batch;
  });
  assert.deepEqual(direct, long);
  assert.equal(direct.rejections.length, 0);
}
