// AssemblyScript. Texts as small integers, in the order of their first appearance.
import {
  MAX_PROBES,
  MAX_TEXTS,
  TEXT_COUNTS,
  TEXT_ENTRIES,
  TEXT_ENTRY_BYTES,
  TEXT_OCTETS,
  TEXT_SLOTS,
  TEXTS,
} from '../regions';
import { cell, wordAt } from './octets';

/** The index has two slots for each text. */
const SLOT_MASK: u32 = MAX_TEXTS * 2 - 1;
/** What is returned where there is no room, or none that is found soon. */
export const FULL: i32 = -2;

// An entry's parts, and those of TEXT_COUNTS.
const HASH: usize = 0;
const LENGTH: usize = 4;
const PLACE: usize = 8;
const COUNT: usize = 0;
const USED_OCTETS: usize = 4;
/** How often none was found within MAX_PROBES. */
const MISSED: usize = 8;

function hashOf(at: usize, length: usize): u32 {
  let hash: u64 = length;
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) hash = mixed(hash, load<u64>(at + i));
  if (i < length) hash = mixed(hash, wordAt(at + i, length - i));
  // Once more: names that are counted up differ in a few bits, and would lie in a few slots.
  return <u32>mixed(hash, 0);
}

function mixed(hash: u64, word: u64): u64 {
  const product = (hash ^ word) * 0x9e3779b97f4a7c15;
  return product ^ (product >> 32);
}

/** Texts are kept with zeros up to a whole number of eight octets. */
function isText(entry: usize, at: usize, length: usize): bool {
  const place: usize = load<u32>(entry, PLACE);
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(place + i) !== load<u64>(at + i)) return false;
  return i === length || load<u64>(place + i) === wordAt(at + i, length - i);
}

/**
 * The number of the text at `at`, which is numbered if it was not; FULL if there is no room for it, or none within MAX_PROBES slots: a
 * client can choose its tags for their hashes. Two waits for memory for nearly every text.
 */
export function numberOfText(at: usize, length: usize): i32 {
  const hash = hashOf(at, length);
  let slot: u32 = hash & SLOT_MASK;
  for (let probe = 0; probe < MAX_PROBES; probe++) {
    const number = load<u32>(cell(TEXT_SLOTS, slot, 4));
    if (number === 0) return add(slot, hash, at, length);
    const entry: usize = cell(TEXT_ENTRIES, number - 1, TEXT_ENTRY_BYTES);
    const isSame = load<u32>(entry, HASH) === hash && load<u32>(entry, LENGTH) === <u32>length;
    if (isSame && isText(entry, at, length)) return number - 1;
    slot = (slot + 1) & SLOT_MASK;
  }
  store<u32>(TEXT_COUNTS, load<u32>(TEXT_COUNTS, MISSED) + 1, MISSED);
  return FULL;
}

function add(slot: u32, hash: u32, at: usize, length: usize): i32 {
  const number = load<u32>(TEXT_COUNTS, COUNT);
  const used = load<u32>(TEXT_COUNTS, USED_OCTETS);
  const room: u32 = (<u32>length + 7) & ~7;
  if (number === <u32>MAX_TEXTS || used + room > <u32>TEXT_OCTETS) return FULL;
  const place: usize = TEXTS + used;
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) store<u64>(place + i, load<u64>(at + i));
  if (i < length) store<u64>(place + i, wordAt(at + i, length - i));
  const entry: usize = cell(TEXT_ENTRIES, number, TEXT_ENTRY_BYTES);
  store<u32>(entry, hash, HASH);
  store<u32>(entry, <u32>length, LENGTH);
  store<u32>(entry, <u32>place, PLACE);
  store<u32>(cell(TEXT_SLOTS, slot, 4), number + 1);
  store<u32>(TEXT_COUNTS, number + 1, COUNT);
  store<u32>(TEXT_COUNTS, used + room, USED_OCTETS);
  return number;
}

/** Whether the octets at `at` are the text that has this number. */
export function isTextOf(number: i32, at: usize, length: usize): bool {
  const entry: usize = cell(TEXT_ENTRIES, number, TEXT_ENTRY_BYTES);
  return load<u32>(entry, LENGTH) === <u32>length && isText(entry, at, length);
}

/** Forgets all texts: the next one is number 0. */
export function forgetTexts(): void {
  memory.fill(TEXT_SLOTS, 0, MAX_TEXTS * 2 * 4);
  store<u64>(TEXT_COUNTS, 0);
  store<u64>(TEXT_COUNTS, 0, MISSED);
}
