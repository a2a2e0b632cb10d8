// AssemblyScript. What the caller of the quota kernel calls; README.md says what is where.
import { cell } from '../../../rating/kernel/assembly/octets';
import { copy, putVarint, varintOctets } from '../../../rating/kernel/assembly/write-octets';
import {
  BATCH_BYTES,
  BATCH_COUNT,
  BATCH_NEXT,
  BATCH_OCTETS,
  BATCH_OF,
  BATCH_PARTITION,
  BATCH_PLACE,
  BATCH_REQUEST,
  BATCH_WRITTEN,
  BATCHES,
  COLUMN_PAGES,
  COPY_OCTETS,
  HEAD,
  HEAD_AFTER_USE,
  HEAD_AFTER_USE_OCTETS,
  HEAD_BYTES,
  HEAD_DIGITS_AT,
  HEAD_KEY,
  HEAD_KEY_OCTETS,
  HEAD_VALUE,
  HEAD_VALUE_OCTETS,
  HEADS,
  OFFSET,
  REMAINING,
  SUBSCRIBER,
  SUBSCRIBER_OCTETS,
  THRESHOLD,
  USED,
  VALUE_OCTETS,
} from '../quota-regions';
import { murmur2 } from './murmur2';

export { murmur2 };

// Room for the columns; the caller lets it grow for heads and records.
memory.grow(COLUMN_PAGES - memory.size());

/**
 * Divides the rows [0, rows) among batches, and returns how many batches there are: each row goes into the open batch of its key's
 * partition, or begins the partition's next one, in the next request, where that would have more than `maxOctets` octets.
 * `open`: 32 bits a partition, zeros, then the number of its open batch and 1. No head has a number of `heads` or above.
 */
export function divideRows(rows: usize, heads: u32, partitions: u32, open: usize, maxOctets: u32): u32 {
  let batches: u32 = 0;
  for (let row: usize = 0; row < rows; row++) {
    const head = headOf(row, heads);
    const key: usize = load<u32>(head, HEAD_KEY);
    const keyOctets = load<u32>(head, HEAD_KEY_OCTETS);
    writeDigits(key, cell(SUBSCRIBER, row, SUBSCRIBER_OCTETS));
    const partition = (murmur2(key, keyOctets) & 0x7fffffff) % partitions;
    const valueOctets = valueLength(row, head);
    const slot = cell(open, partition, 4);
    let number = load<u32>(slot);
    if (number === 0 || !takes(batchAt(number - 1), keyOctets, valueOctets, maxOctets)) {
      const request: u32 = number === 0 ? 0 : load<u32>(batchAt(number - 1), BATCH_REQUEST) + 1;
      beginBatch(batchAt(batches), partition, request, recordLength(0, keyOctets, valueOctets));
      number = ++batches;
      store<u32>(slot, number);
    }
    store<u32>(cell(VALUE_OCTETS, row, 4), valueOctets);
    store<u32>(cell(BATCH_OF, row, 4), number - 1);
  }
  return batches;
}

/** Gives each batch its place, one after another from `from` on, and returns the address after the last: memory has to reach so far. */
export function placeBatches(batches: u32, from: u32): f64 {
  let place: u64 = from;
  for (let number: u32 = 0; number < batches; number++) {
    const batch = batchAt(number);
    store<u32>(batch, <u32>place, BATCH_PLACE);
    store<u32>(batch, <u32>place, BATCH_NEXT);
    place += <u64>load<u32>(batch, BATCH_OCTETS) + COPY_OCTETS;
  }
  return <f64>place;
}

/** Writes the records of the rows [0, rows), in order, each behind the one before in its batch. */
export function writeUpdates(rows: usize, heads: u32): void {
  for (let row: usize = 0; row < rows; row++) {
    writeRecord(row, headOf(row, heads), batchAt(load<u32>(cell(BATCH_OF, row, 4))));
  }
}

function headOf(row: usize, heads: u32): usize {
  const head = load<u32>(cell(HEAD, row, 4));
  // A trap, not a record of other octets.
  if (head >= heads) unreachable();
  return cell(HEADS, head, HEAD_BYTES);
}

function batchAt(number: u32): usize {
  return cell(BATCHES, number, BATCH_BYTES);
}

function beginBatch(batch: usize, partition: u32, request: u32, octets: u32): void {
  store<u32>(batch, partition, BATCH_PARTITION);
  store<u32>(batch, request, BATCH_REQUEST);
  store<u32>(batch, 1, BATCH_COUNT);
  store<u32>(batch, octets, BATCH_OCTETS);
  store<u32>(batch, 0, BATCH_WRITTEN);
}

/** Makes room for one record more, where that is not too many octets. */
function takes(batch: usize, keyOctets: u32, valueOctets: u32, maxOctets: u32): bool {
  const count = load<u32>(batch, BATCH_COUNT);
  const octets = load<u32>(batch, BATCH_OCTETS) + recordLength(count, keyOctets, valueOctets);
  if (octets > maxOctets) return false;
  store<u32>(batch, octets, BATCH_OCTETS);
  store<u32>(batch, count + 1, BATCH_COUNT);
  return true;
}

function valueLength(row: usize, head: usize): u32 {
  return (
    load<u32>(head, HEAD_VALUE_OCTETS) +
    varintOctets(integerAt(USED, row)) +
    varintOctets(integerAt(REMAINING, row)) +
    varintOctets(load<u16>(cell(THRESHOLD, row, 2))) +
    load<u32>(head, HEAD_AFTER_USE_OCTETS) +
    varintOctets(integerAt(OFFSET, row))
  );
}

function integerAt(column: usize, row: usize): u64 {
  return <u64>load<f64>(cell(column, row, 8));
}

function recordLength(delta: u32, keyOctets: u32, valueOctets: u32): u32 {
  const body = bodyLength(delta, keyOctets, valueOctets);
  return varintOctets(body) + body;
}

/** Attributes, timestamp delta and header count take an octet each. */
function bodyLength(delta: u32, keyOctets: u32, valueOctets: u32): u32 {
  return 3 + varintOctets(delta) + varintOctets(keyOctets) + keyOctets + varintOctets(valueOctets) + valueOctets;
}

/** Writes a row's record (Kafka's record v2: no headers, the batch's own timestamp) where its batch's next one goes. */
function writeRecord(row: usize, head: usize, batch: usize): void {
  const keyOctets = load<u32>(head, HEAD_KEY_OCTETS);
  const valueOctets = load<u32>(cell(VALUE_OCTETS, row, 4));
  const delta = load<u32>(batch, BATCH_WRITTEN);
  let at = putVarint(load<u32>(batch, BATCH_NEXT), bodyLength(delta, keyOctets, valueOctets));
  store<u16>(at, 0); // attributes, timestamp delta
  at = putVarint(at + 2, delta);
  const key = putVarint(at, keyOctets);
  at = copy(key, load<u32>(head, HEAD_KEY), keyOctets);
  writeDigits(key, cell(SUBSCRIBER, row, SUBSCRIBER_OCTETS));
  const value = putVarint(at, valueOctets);
  at = copy(value, load<u32>(head, HEAD_VALUE), load<u32>(head, HEAD_VALUE_OCTETS));
  copy(value + load<u32>(head, HEAD_DIGITS_AT), key, SUBSCRIBER_OCTETS * 2);
  at = putVarint(at, integerAt(USED, row));
  at = putVarint(at, integerAt(REMAINING, row));
  at = putVarint(at, load<u16>(cell(THRESHOLD, row, 2)));
  at = copy(at, load<u32>(head, HEAD_AFTER_USE), load<u32>(head, HEAD_AFTER_USE_OCTETS));
  at = putVarint(at, integerAt(OFFSET, row));
  store<u8>(at, 0); // headers
  store<u32>(batch, <u32>at + 1, BATCH_NEXT);
  store<u32>(batch, delta + 1, BATCH_WRITTEN);
}

/** Writes the 32 hex digits of a pseudonym's sixteen octets: a shuffle puts the halves of each octet in order, a look-up makes digits of them. */
export function writeDigits(to: usize, pseudonym: usize): void {
  const octets = v128.load(pseudonym);
  const high = i8x16.shr_u(octets, 4);
  const low = v128.and(octets, i8x16.splat(15));
  // '0' to '9', 'a' to 'f'.
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const last = i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  v128.store(to, i8x16.swizzle(digits, first));
  v128.store(to + 16, i8x16.swizzle(digits, last));
}
