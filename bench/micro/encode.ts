import assert from 'node:assert/strict';
import { BlockMemory } from '../../src/journal/block-rows.ts';
import { type JournalBlock, journalBlock } from '../../src/journal/journal-block.ts';
import { summarise } from '../../src/rating/batch-summary.ts';
import type { FlowBatch } from '../../src/rating/flow-record.ts';
import { rateBatch } from '../../src/rating/pipeline.ts';
import { deriveQuotaUpdates } from '../../src/rating/quota-updates.ts';
import { nativeRows } from '../../test/simulation/native-rows.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import { asObjects, asRecords, assertSameUpdates } from './quota-updates.ts';
import { assertCharged, type Classified, classified } from './rate.ts';
import { inTurns } from './traffic.ts';

const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
const BOOKING_DAY = 20_740;

/** What leaves the engine: the journal's block of a rated batch, and the quota updates that follow from it. */
export function encodeGroups(records: number, seed: number): BenchmarkGroup[] {
  return [
    {
      name: 'encode the journal block',
      benchmarks: [{ name: 'journal block', prepare: () => encodingBlocks(records, seed) }],
    },
    {
      name: 'encode quota updates',
      benchmarks: [
        { name: 'an object each, by avsc', prepare: () => encodingUpdates(records, seed, asObjects) },
        { name: 'records from columns', prepare: () => encodingUpdates(records, seed, asRecords) },
      ],
    },
  ];
}

function encodingBlocks(records: number, seed: number): Prepared {
  const waiting = classified(records, seed);
  const memory = new BlockMemory();
  const encoders = waiting.batches.map((batch, at) => blockEncoder(batch, at, waiting, memory));
  const next = inTurns(encoders);
  return { records, work: () => next()() };
}

/** Rates the batch, and gives what encodes it. */
function blockEncoder(
  batch: FlowBatch,
  at: number,
  { lane, rules }: Classified,
  memory: BlockMemory,
): () => JournalBlock {
  rateBatch(batch, lane, rules);
  assertCharged(batch);
  const place = {
    log: LOG,
    bookingDay: BOOKING_DAY,
    chainedDay: BOOKING_DAY,
    prev: at * batch.count - 1,
    firstOffset: at * batch.count,
    lastOffset: (at + 1) * batch.count - 1,
    laneSequence: at + 1,
    lanePosition: at * batch.count,
    gapReason: '' as const,
  };
  const summary = summarise(batch);
  const encode = () => journalBlock(batch, () => '', summary, place, lane, rules, memory);
  assertRows(batch, nativeRows(Buffer.concat(encode().parts)));
  return encode;
}

function assertRows(batch: FlowBatch, rows: ReturnType<typeof nativeRows>): void {
  assert.equal(rows.length, batch.count + 1);
  for (let row = 0; row < batch.count; row++) {
    assert.equal(rows[row].charge_micros, batch.chargeMicros[row]);
    assert.equal(rows[row].used_octets_after, batch.usedOctetsAfter[row]);
  }
}

/** A batch has one update for each counter that it moved: `records` are those here. */
function encodingUpdates(records: number, seed: number, encode: typeof asObjects | typeof asRecords): Prepared {
  const { batches, lane, rules } = classified(records, seed);
  const updates = batches.map((batch) => {
    rateBatch(batch, lane, rules);
    return deriveQuotaUpdates(batch, lane, rules.catalogue, LOG);
  });
  const fewest = Math.min(...updates.map(({ length }) => length));
  for (const some of updates) some.length = fewest;
  assertSameUpdates(updates[0]);
  const next = inTurns(updates);
  return { records: fewest, work: () => encode(next()) };
}
