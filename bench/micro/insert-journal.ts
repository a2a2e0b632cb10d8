import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockMemory } from '../../src/journal/block-rows.ts';
import { ClickHouseJournal } from '../../src/journal/clickhouse-journal.ts';
import { type JournalBlock, journalBlock } from '../../src/journal/journal-block.ts';
import { openForBooking } from '../../src/journal/open-store.ts';
import { summarise } from '../../src/rating/batch-summary.ts';
import { rateBatch } from '../../src/rating/pipeline.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import { assertCharged, classified } from './rate.ts';
import { inTurns } from './traffic.ts';

const LOG = { topic: 'flows', partition: 0, lane: 'flows-0' };
const BOOKING_DAY = 20_740;
const BATCHES = 2;

/** Batches of charges into the journal's own table, as an engine books them: compare-and-swap, projections and fsync included. */
export function insertJournalGroup(rows: number, seed: number): BenchmarkGroup {
  return {
    name: 'book in embedded ClickHouse',
    benchmarks: [{ name: 'a batch of charges', prepare: () => booking(rows, seed) }],
  };
}

async function booking(rows: number, seed: number): Promise<Prepared> {
  const { batches, lane, rules } = classified(rows, seed, undefined, BATCHES);
  for (const batch of batches) {
    rateBatch(batch, lane, rules);
    assertCharged(batch);
  }
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-bench-'));
  const { store } = await openForBooking({ dir: folder }, { create: true });
  const journal = new ClickHouseJournal(store);
  const memory = new BlockMemory();
  const next = inTurns(batches);
  let booked = 0;
  let block: JournalBlock | null = null;
  return {
    records: rows,
    before: () => {
      const batch = next();
      const position = booked++ * rows;
      const place = {
        log: LOG,
        bookingDay: BOOKING_DAY,
        chainedDay: BOOKING_DAY,
        prev: position - 1,
        firstOffset: position,
        lastOffset: position + rows - 1,
        laneSequence: booked,
        lanePosition: position,
        gapReason: '' as const,
      };
      block = journalBlock(batch, () => '', summarise(batch), place, lane, rules, memory);
    },
    work: () => journal.insert(block as JournalBlock),
    after: async () => {
      const [{ charges }] = await store.query("SELECT count() AS charges FROM journal WHERE kind = 'charge'");
      assert.equal(Number(charges), booked * rows);
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}
