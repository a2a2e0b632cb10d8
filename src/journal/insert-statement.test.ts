import { expect, test } from 'vitest';
import { insertSettings, insertStatement, placeToken, tokenOf } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';

const block = {
  log: { lane: "it's-0", topic: "it's", partition: 3 },
  bookingDay: 20_000,
  chainedDay: 19_999,
  prev: 41,
  firstOffset: 42,
  lastOffset: 50,
  laneSequence: 8,
  lanePosition: 42,
  gapReason: '',
  digest: '',
  keyMismatches: 0,
  columns: [{ name: 'kind' }, { name: 'offset' }, { name: 'batch_numbers' }, { name: 'outcomes' }],
  parts: [],
} as unknown as JournalBlock;

test('the guard compares the lane’s number and the log’s cursor with what the writer had', () => {
  const sql = insertStatement(block, 'input');
  expect(sql).toContain(
    "throwIf((SELECT (max(lane_sequence), ifNull(maxOrNullIf(offset, topic = 'it\\'s' AND partition = 3), -1)) " +
      "FROM journal WHERE kind = 'batch' AND lane = 'it\\'s-0') != (7, 41)) = 0",
  );
});

test('the token names the batch before, and nothing of this one', () => {
  expect(tokenOf(block, 0)).toBe("it's-0@7");
  expect(tokenOf({ ...block, lastOffset: 99, digest: 'other', prev: 1 }, 0)).toBe("it's-0@7");
  expect(tokenOf(block, 2)).toBe("it's-0@7~2");
  expect(placeToken('chain', 1, 0)).toBe('chain@0');
  expect(insertStatement(block, 'input', 1)).toContain("insert_deduplication_token = 'it\\'s-0@7~1'");
});

test('a batch is one block, in order, written by one thread', () => {
  expect(insertSettings("a'b").split(', ')).toEqual([
    "insert_deduplication_token = 'a\\'b'",
    'insert_deduplicate = 1',
    'async_insert = 0',
    'max_insert_threads = 1',
    'max_threads = 1',
    'max_block_size = 4000000',
    'max_insert_block_size = 4000000',
    'min_insert_block_size_rows = 4000000',
    'min_insert_block_size_bytes = 0',
  ]);
  expect(insertSettings('t', 10)).toContain('max_block_size = 10,');
  expect(insertStatement(block, 'input')).toMatch(/ FROM input WHERE .* ORDER BY ALL$/);
});

test('each column has its own value: of the batch row by its place in the arrays', () => {
  const [, columns = '', values = ''] =
    /^INSERT INTO journal \((.*?)\) SETTINGS .*? SELECT (.*) FROM input/.exec(insertStatement(block, 'input')) ?? [];
  const names = columns.split(', ');
  const valueIn = (name: string) => values.split(', ')[names.indexOf(name)];
  expect(valueIn('lane')).toBe("'it\\'s-0'");
  expect(valueIn('partition')).toBe('3');
  expect(valueIn('booking_date')).toBe('toDate(20000)');
  expect(valueIn('chained_on')).toBe('toDate(19999)');
  expect(valueIn('offset')).toBe('offset');
  expect(valueIn('first_offset')).toBe('batch_numbers[1]');
  expect(valueIn('prev')).toBe('batch_numbers[2]');
  expect(valueIn('catalogue_hash')).toBe('batch_texts[1]');
  expect(valueIn('source_proof')).toBe('batch_texts[5]');
  expect(names).not.toContain('batch_numbers');
  expect(new Set(names).size).toBe(names.length);
});
