import assert from 'node:assert/strict';
import { recoverLane } from '../../src/engine/recovery.ts';
import { JournalReader } from '../../src/journal/clickhouse-journal.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import type { Lane } from '../../src/rating/lane.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import { cpuSeconds, residentOctets } from '../process-figures.ts';
import { type BenchLane, LANE, laneOf, NODES, OCTETS_PER_CHARGE, WINDOW_RECORDS } from './lane.ts';

/** What one recovery took. Memory is resident memory of the process, ClickHouse's included. */
export interface Recovered {
  seconds: number;
  /** User and system time in it, on all cores. */
  cpuSeconds: number;
  counters: number;
  identities: number;
  beforeOctets: number;
  afterOctets: number;
  peakOctets: number;
}

// A process of its own, as an engine is after a start: it recovers a lane that has nothing, and then the one that is asked for.
const [directory, ...args] = process.argv.slice(2);
const filled = laneOf(args);
const store = await openEmbeddedStore(directory, { create: false });
const journal = new JournalReader(store);
const options = {
  pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)),
  duplicateWindowRecords: WINDOW_RECORDS,
  horizonDay: 0,
};
await recoverLane(journal, 'empty', options);
const before = await residentOctets(process.pid);
const cpuBefore = await cpuSeconds(process.pid);
const begunMs = performance.now();
const { lane } = await recoverLane(journal, LANE, options);
const seconds = (performance.now() - begunMs) / 1000;
const after = await residentOctets(process.pid);
const result: Recovered = {
  seconds,
  cpuSeconds: (await cpuSeconds(process.pid)) - cpuBefore,
  counters: lane.counters.count,
  identities: assertWhole(lane, filled),
  beforeOctets: before.now,
  afterOctets: after.now,
  peakOctets: after.peak,
};
await store.close();
process.stdout.write(`${JSON.stringify(result)}\n`);

/** A recovery that forgets something is not faster but wrong. Gives the number of identities. */
function assertWhole({ counters, subscribers, duplicates, nodes, position }: Lane, expected: BenchLane): number {
  assert.equal(counters.count, expected.counters);
  assert.equal(subscribers.count, Math.ceil(expected.counters / expected.plans));
  for (let counter = 0; counter < counters.count; counter++) {
    assert.equal(counters.usedOctets(counter), expected.charges * OCTETS_PER_CHARGE);
  }
  const records = expected.counters * expected.charges;
  assert.equal(position, records);
  const from = Math.max(0, records - WINDOW_RECORDS);
  for (let ordinal = from; ordinal < records; ordinal++) {
    const node = nodes.numberOf(`gw-${ordinal % NODES}`);
    assert.notEqual(duplicates.see(ordinal, node, Math.floor(ordinal / NODES), 0), 'new');
  }
  return records - from;
}
