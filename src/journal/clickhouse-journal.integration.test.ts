import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { packCatalogue } from '../engine/reload/packed-catalogue.ts';
import { chatCatalogue } from '../engine/traffic.fixture.ts';
import { structureOf } from '../platform/clickhouse/native-block.ts';
import { systemClock } from '../platform/clock.ts';
import { summarise } from '../rating/batch-summary.ts';
import { FlowBatch } from '../rating/flow-record.ts';
import { Lane } from '../rating/lane.ts';
import { prepareCatalogue } from '../rating/prepared-catalogue.ts';
import { Rules } from '../rating/rules.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import { ClickHouseJournal } from './clickhouse-journal.ts';
import { insertBlockOnce, insertStatement } from './journal.ts';
import { type JournalBlock, journalBlock } from './journal-block.ts';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

const RETRY = { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1000 };
const OCTOBER_31 = 20_757;
const NOVEMBER_1 = 20_758;

/** The first batch of a lane, or the one after it. */
function blockOf(lane: string, laneSequence: number, bookingDay: number, chainedDay: number): JournalBlock {
  const place = {
    log: { topic: 'flow', partition: 0, lane },
    bookingDay,
    chainedDay,
    prev: laneSequence - 2,
    firstOffset: laneSequence - 1,
    lastOffset: laneSequence - 1,
    laneSequence,
    lanePosition: 0,
    gapReason: 'records_lost' as const,
  };
  const memory = new Lane({ pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)), duplicateWindowRecords: 10 });
  const nothing = new FlowBatch(0);
  return journalBlock(nothing, () => '', summarise(nothing), place, memory, new Rules(chatCatalogue()));
}

/** What an insert does whose guard was asked before another one landed. */
function insertLate(block: JournalBlock, deadTokens = 0): Promise<void> {
  const late = (source: string) => {
    const statement = insertStatement(block, source, deadTokens);
    const withoutGuard = statement.replace(/ WHERE throwIf\(.*\) = 0 ORDER BY ALL/s, '');
    expect(withoutGuard).not.toBe(statement);
    return withoutGuard;
  };
  return opened.store.insertBlock(late, structureOf(block.columns), block.parts);
}

test('of two inserts from one cursor that both passed the guard one lands, though they are booked in different months', async () => {
  for (const block of [
    blockOf('a', 1, OCTOBER_31, 0),
    blockOf('a', 2, OCTOBER_31, OCTOBER_31),
    blockOf('b', 1, NOVEMBER_1, 0),
  ]) {
    await insertLate(block);
  }
  // Other records, another month, the same predecessor.
  await insertLate(blockOf('a', 2, NOVEMBER_1, OCTOBER_31));
  await insertLate(blockOf('b', 1, OCTOBER_31, 0));
  await insertLate(blockOf('a', 3, NOVEMBER_1, OCTOBER_31));
  const rows = await opened.store.query(
    'SELECT lane, lane_sequence AS number, toString(booking_date) AS day FROM journal ORDER BY lane, number',
  );
  expect(rows).toEqual([
    { lane: 'a', number: 1, day: '2026-10-31' },
    { lane: 'a', number: 2, day: '2026-10-31' },
    { lane: 'a', number: 3, day: '2026-11-01' },
    { lane: 'b', number: 1, day: '2026-11-01' },
  ]);
});

test('a batch whose insert was lost, and whose token was not, is booked again, once', async () => {
  const journal = new ClickHouseJournal(opened.store);
  const [first, lost] = [blockOf('c', 1, OCTOBER_31, 0), blockOf('c', 2, OCTOBER_31, OCTOBER_31)];
  await journal.insert(first);
  await journal.insert(lost);
  await opened.store.command(
    "ALTER TABLE journal DELETE WHERE lane = 'c' AND lane_sequence = 2 SETTINGS mutations_sync = 2",
  );
  await journal.insert(lost);
  expect(await journal.digestAt('c', 2)).toBeNull();
  await insertBlockOnce(journal, lost, RETRY, systemClock);
  expect(await journal.digestAt('c', 2)).toBe(lost.digest);
  // A rival that came there by itself has nothing to add.
  await insertLate(blockOf('c', 2, NOVEMBER_1, OCTOBER_31), 0);
  await insertLate(blockOf('c', 2, NOVEMBER_1, OCTOBER_31), 1);
  const rows = await opened.store.query("SELECT lane_sequence AS number FROM journal WHERE lane = 'c' ORDER BY number");
  expect(rows).toEqual([{ number: 1 }, { number: 2 }]);
});

test.each(['embedded', 'http'] as const)('a catalogue in shared memory is kept once, as it is: %s', async (kind) => {
  // A process has one embedded store.
  const { store, close } = kind === 'embedded' ? { ...opened, close: async () => {} } : await OPEN_STORE[kind]();
  try {
    const catalogue = chatCatalogue();
    const { head } = packCatalogue(prepareCatalogue(catalogue));
    for (let time = 0; time < 2; time++) await new ClickHouseJournal(store).keepCatalogue(head);
    const kept = await store.query(`SELECT document FROM catalogues WHERE hash = '${catalogue.hash}'`);
    expect(kept).toEqual([{ document: catalogue.canonicalJson }]);
  } finally {
    await close();
  }
});
