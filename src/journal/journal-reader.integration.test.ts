import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { counterRows, identityRows } from '../rating/restored-columns.ts';
import { JournalReader } from './clickhouse-journal.ts';

const LANE = "'flow-0'";
const SUBSCRIBERS = 300;
const BATCHES = 7;
const BATCH_RECORDS = 100;
/** The first and the last of all, and those on both sides of a bound of ten slices. */
const PSEUDONYMS = ['00'.repeat(16), 'ff'.repeat(16), `${'1999'}${'00'.repeat(14)}`, `${'1998'}${'ff'.repeat(14)}`];

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const { store } = opened;
  const chosen = `unhex([${PSEUDONYMS.map((hex) => `'${hex}'`)}][number % 100 + 1])`;
  const subscriber = `if(number % 100 < ${PSEUDONYMS.length}, ${chosen}, CAST(sipHash128(number % ${SUBSCRIBERS}) AS FixedString(16)))`;
  // At the same use the greater carry is the later one.
  await store.command(
    'INSERT INTO journal (kind, lane, topic, partition, offset, plan_id, period_start, subscriber, used_octets_after, carry_after) ' +
      `SELECT 'charge', ${LANE}, 'flow', 0, number, ['a', 'b', 'ö'][intDiv(number, ${SUBSCRIBERS}) % 3 + 1], toDate(20000 + number % 2), ` +
      `toFixedString(${subscriber}, 16), intDiv(number, 2) * 4000000000, number FROM numbers(9000)`,
  );
  for (let batch = 0; batch < BATCHES; batch++) {
    await store.command(
      'INSERT INTO journal (kind, lane, topic, partition, offset, lane_sequence, lane_position, records_read, seen_nodes, seen) ' +
        `SELECT 'batch', ${LANE}, 'flow', 0, ${batch}, ${batch + 1}, ${batch * BATCH_RECORDS}, ${BATCH_RECORDS}, ` +
        `['gw-${batch}', 'gw-x'], arrayMap(i -> (i, i % 2, 4294967296 * i, i * 7), range(0, ${BATCH_RECORDS}, 3))`,
    );
  }
  // Each batch moves the counters of further quotas of fifty subscribers.
  for (let batch = 1; batch <= BATCHES; batch++) {
    await store.command(
      'INSERT INTO journal (kind, lane, topic, partition, offset, lane_sequence, further_quotas) ' +
        `SELECT 'batch', arrayJoin(['quotas-0', 'quotas-1']), 'quotas', 0, ${batch}, ${batch}, ` +
        "arrayMap(i -> (toFixedString(char(i, i), 16), ['a:day', 'all'][i % 2 + 1], 1, toDate(20000 + i % 3), " +
        `${batch} * 1000 + i, ${batch} * 100 + i), range(50))`,
    );
  }
});
afterAll(() => opened?.close());

async function rowsOf<Chunk, Row>(chunks: AsyncIterable<Chunk>, rows: (chunk: Chunk) => Iterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const chunk of chunks) all.push(...rows(chunk));
  return all;
}

test.each([1, 2, 10, 300])('counters that are read in %i slices are all there, once', async (slices) => {
  const expected = await opened.store.query(
    'SELECT lower(hex(subscriber)) AS subscriber, plan_id AS planId, toUInt16(period_start) AS periodStart, ' +
      'max((used_octets_after, carry_after)).1 AS usedOctets, max((used_octets_after, carry_after)).2 AS carry ' +
      `FROM journal WHERE kind = 'charge' AND periodStart = 20000 GROUP BY subscriber, planId, periodStart`,
  );
  const reader = new JournalReader(opened.store, { counters: Math.ceil(expected.length / slices), records: 1 });
  const read = (await rowsOf(reader.counters('flow-0', 20_000, 20_001), counterRows)).map((row) => ({
    ...row,
    subscriber: Buffer.from(row.subscriber).toString('hex'),
  }));
  const texts = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
  expect(expected.length).toBeGreaterThan(300);
  expect(texts(read)).toEqual(texts(expected));
});

const furtherOf = (rows: readonly { planId: string; periodStart: number; usedOctets: number; carry: number }[]) =>
  rows.map(({ planId, periodStart, usedOctets, carry }) => `${planId} ${periodStart} ${usedOctets} ${carry}`).sort();

/** The states after a batch of the counters of periods that begin on some days. */
const furtherAfter = (batch: number, days: readonly number[]) =>
  Array.from({ length: 50 }, (_, i) => ({ i, day: 20_000 + (i % 3) }))
    .filter(({ day }) => days.includes(day))
    .map(({ i, day }) => `${['a:day', 'all'][i % 2]} ${day} ${batch * 1000 + i} 0`)
    .sort();

test.each([1, 7, 100_000])(
  'counters of further quotas come with them, %i at once, each in its last state',
  async (counters) => {
    const reader = new JournalReader(opened.store, { counters, records: 1 });
    const read = await rowsOf(reader.counters('quotas-0', 20_001, 20_003), counterRows);
    expect(furtherOf(read)).toEqual(furtherAfter(BATCHES, [20_001, 20_002]));
    const before = await rowsOf(reader.countersBefore('quotas-0', 3), counterRows);
    expect(furtherOf(before)).toEqual(furtherAfter(2, [20_000, 20_001, 20_002]));
  },
);

test('moves of further quotas are those of the batches that are asked for, each with the record that came last', async () => {
  const reader = new JournalReader(opened.store);
  const moves = await reader.moves('quotas-0', 1, 3);
  expect(moves).toHaveLength(50);
  const [move] = moves.filter(({ subscriber }) => subscriber === `${'03'.repeat(2)}${'00'.repeat(14)}`);
  const place = { topic: 'quotas', partition: 0, offset: 303 };
  expect(move).toMatchObject({ planId: 'all', planVersion: 1, periodStart: 20_000, usedOctets: 3003, ...place });
});

test.each([7, 150, 100_000])('identities that are read %i records at once are all there, in order', async (records) => {
  const reader = new JournalReader(opened.store, { counters: 1, records });
  const [from, to] = [150, 620];
  const read = await rowsOf(reader.seen('flow-0', from, to), identityRows);
  const expected = Array.from({ length: to - from }, (_, at) => from + at)
    .map((ordinal) => ({ ordinal, batch: Math.floor(ordinal / BATCH_RECORDS), row: ordinal % BATCH_RECORDS }))
    .filter(({ row }) => row % 3 === 0)
    .map(({ ordinal, batch, row }) => ({
      ordinal,
      nodeId: row % 2 === 0 ? `gw-${batch}` : 'gw-x',
      sequence: 2 ** 32 * row,
      fingerprint: row * 7,
    }));
  expect(read).toEqual(expected);
});

test('a lane without batches has no counters', async () => {
  const reader = new JournalReader(opened.store);
  expect(await rowsOf(reader.counters('nothing', 0, 65_536), counterRows)).toEqual([]);
});
