import { literal } from '../platform/clickhouse/store.ts';
import { BATCH_NUMBERS, BATCH_TEXTS, type JournalBlock } from './journal-block.ts';

/**
 * The statement that books a block, reading it from `source`: the guard and the token of `Journal.insert` (design
 * section 3). Both look at the state that the writer was in: the lane's last number and the log's cursor.
 */
export function insertStatement(block: JournalBlock, source: string, deadTokens = 0): string {
  const { log, laneSequence, prev, bookingDay, chainedDay } = block;
  const lane = literal(log.lane);
  const own = block.columns.map(({ name }) => name).filter((name) => !name.startsWith('batch_'));
  const columns: [name: string, value: string][] = [
    ['lane', lane],
    ['topic', literal(log.topic)],
    ['partition', String(log.partition)],
    ['booking_date', `toDate(${bookingDay})`],
    ['chained_on', `toDate(${chainedDay})`],
    ...own.map((name): [string, string] => [name, name]),
    ...BATCH_NUMBERS.map((name, index): [string, string] => [name, `batch_numbers[${index + 1}]`]),
    ...BATCH_TEXTS.map((name, index): [string, string] => [name, `batch_texts[${index + 1}]`]),
  ];
  const cursor =
    `(SELECT (max(lane_sequence), ifNull(maxOrNullIf(offset, topic = ${literal(log.topic)} AND partition = ${log.partition}), -1)) ` +
    `FROM journal WHERE kind = 'batch' AND lane = ${lane})`;
  return (
    `INSERT INTO journal (${columns.map(([name]) => name).join(', ')}) ` +
    `SETTINGS ${insertSettings(tokenOf(block, deadTokens))} ` +
    `SELECT ${columns.map(([, value]) => value).join(', ')} FROM ${source} ` +
    `WHERE throwIf(${cursor} != (${laneSequence - 1}, ${prev})) = 0 ORDER BY ALL`
  );
}

/** Names the batch before, and nothing of this one: rivals that extend the same batch have the same token. */
export function tokenOf({ log, laneSequence }: JournalBlock, deadTokens: number): string {
  return placeToken(log.lane, laneSequence, deadTokens);
}

/** The token of what comes after number - 1 in a chain, in its next spelling for each token that died there. */
export function placeToken(chain: string, number: number, deadTokens: number): string {
  return `${chain}@${number - 1}${deadTokens === 0 ? '' : `~${deadTokens}`}`;
}

/** A batch has at most a million records, each of one row, and its own. */
const BATCH_BLOCK_ROWS = 4_000_000;

/**
 * One block of at most so many rows, one part, in order, or nothing; and a part that outlives a power cut (fsync is a setting
 * of the table).
 */
export function insertSettings(token: string, blockRows: number = BATCH_BLOCK_ROWS): string {
  return [
    `insert_deduplication_token = ${literal(token)}`,
    'insert_deduplicate = 1',
    'async_insert = 0',
    'max_insert_threads = 1',
    'max_threads = 1',
    `max_block_size = ${blockRows}`,
    `max_insert_block_size = ${blockRows}`,
    `min_insert_block_size_rows = ${blockRows}`,
    'min_insert_block_size_bytes = 0',
  ].join(', ');
}
