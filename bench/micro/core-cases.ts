import assert from 'node:assert/strict';
import { summarise } from '../../src/billing/batch-summary.ts';
import { deriveQuotaUpdates } from '../../src/billing/derive-quota-updates.ts';
import { isCharged } from '../../src/billing/outcome.ts';
import { classifyBatch, rateBatch } from '../../src/billing/pipeline.ts';
import { quotaUpdateSchema } from '../../src/commands/assemble-source.ts';
import { Random } from '../../src/generator/random.ts';
import { BlockMemory } from '../../src/journal/block-memory.ts';
import { journalBlock } from '../../src/journal/journal-block.ts';
import { encodeQuotaRecords } from '../../src/quota-updates/quota-records.ts';
import { quotaUpdateParts } from '../../src/quota-updates/quota-update-parts.ts';
import {
  admitAll,
  applications,
  decoder,
  drawEvidence,
  drawValues,
  newBatch,
  newLane,
  RECORDS,
  rulesOf,
} from './samples.ts';

/** What is measured: one run is one batch. */
export interface MicroCase {
  group: string;
  name: string;
  /** Of one batch; `RECORDS` where it is not said. */
  records?: number;
  run: () => unknown;
}

const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
const PARTITIONS = 4;
const MAX_OCTETS = 900_000;

/** Decoding by either way, and then each step with all before it: what a step takes is the difference. */
export function coreCases(seed: number): MicroCase[] {
  const all = applications(100, 100);
  const rules = rulesOf(all);
  const values = drawValues(all, seed);
  const decode = decoder();
  const [batch, lane, memory] = [newBatch(), newLane(), new BlockMemory()];
  const partsOf = quotaUpdateParts(quotaUpdateSchema());
  const admitted = (way = decode) => admitAll(batch, values, way, lane, rules);
  const classified = () => {
    admitted();
    classifyBatch(batch, lane, rules);
  };
  const rated = () => {
    classified();
    rateBatch(batch, lane, rules);
  };
  const place = { log: LOG, bookingDay: 20_700, chainedDay: 20_700, prev: -1, firstOffset: 0, lastOffset: RECORDS - 1 };
  const encoded = () => {
    rated();
    const where = { ...place, laneSequence: 1, lanePosition: 0, gapReason: '' as const };
    return journalBlock(batch, () => '', summarise(batch), where, lane, rules, memory);
  };
  const announced = () => {
    encoded();
    const updates = deriveQuotaUpdates(batch, lane, rules.catalogue, LOG);
    return encodeQuotaRecords(updates, partsOf, PARTITIONS, MAX_OCTETS);
  };
  assertSameColumns(
    () => admitted(),
    () => admitted((value) => decode(value)),
  );
  rated();
  const charged = batch.reason.subarray(0, batch.count).reduce((sum, code) => sum + (isCharged(code) ? 1 : 0), 0);
  assert(charged > RECORDS / 2, `${charged} of ${RECORDS} records are charged`);
  return [
    { group: 'decode', name: 'avsc and the validation', run: () => admitted((value) => decode(value)) },
    { group: 'decode', name: 'straight from the octets', run: () => admitted() },
    { group: 'a batch, step by step', name: 'decode', run: () => admitted() },
    { group: 'a batch, step by step', name: '+ duplicates, evidence, plan', run: classified },
    { group: 'a batch, step by step', name: '+ share, quota, price', run: rated },
    { group: 'a batch, step by step', name: '+ the journal’s block', run: encoded },
    { group: 'a batch, step by step', name: '+ quota updates as Kafka records', run: announced },
  ];

  function assertSameColumns(one: () => void, other: () => void): void {
    const columnsOf = (fill: () => void) => {
      fill();
      return [batch.subscriber, batch.fingerprint, batch.uplinkOctets, batch.remoteAddress].map((column) => [
        ...column,
      ]);
    };
    assert.deepEqual(columnsOf(one), columnsOf(other));
  }
}

/** The cost of classifying as prefixes grow, and as sponsors do: the addresses and tags are drawn from all of them. */
export function growthCases(
  seed: number,
  prefixCounts: readonly number[],
  sponsorCounts: readonly number[],
): MicroCase[] {
  const byPrefixes = prefixCounts.map((prefixes) =>
    classifyCase('classify, by prefixes', `${prefixes} prefixes`, Math.min(100, prefixes), prefixes, seed),
  );
  const bySponsors = sponsorCounts.map((sponsors) =>
    classifyCase('classify, by sponsors', `${sponsors} sponsors`, sponsors, sponsors, seed),
  );
  return [...byPrefixes, ...bySponsors];
}

function classifyCase(group: string, name: string, sponsors: number, prefixes: number, seed: number): MicroCase {
  const rules = rulesOf(applications(sponsors, prefixes));
  const [batch, lane] = [newBatch(), newLane()];
  admitAll(batch, drawValues(applications(10, 10), seed), decoder(), lane, rules);
  drawEvidence(batch, new Random(seed), sponsors, prefixes);
  const reasons = batch.reason.slice();
  const run = () => {
    batch.reason.set(reasons);
    classifyBatch(batch, lane, rules);
    lane.position += RECORDS;
  };
  return { group, name, run };
}
