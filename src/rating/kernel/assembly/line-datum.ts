// AssemblyScript. From the values of a line to the datum of the same record.
import { FIELD_KINDS, FIELDS, LINE_DATUM, NULLABLE, TEXT, VALUE_END, VALUE_START } from '../regions';
import { cell, NOWHERE } from './octets';
import { copy, putVarint } from './write-octets';

const ZERO: u8 = 0x30;
const EIGHT_ZEROS: u64 = 0x3030303030303030;
const MAX_DIGITS: usize = 15;

/** Keeps where a field's value is: a text without its quotes, or digits. */
export function keepValue(field: usize, from: usize, to: usize): void {
  store<u32>(cell(VALUE_START, field, 4), <u32>from);
  store<u32>(cell(VALUE_END, field, 4), <u32>to);
}

/** Whether digits are a number as it is written plainly: of 1 to 15 digits, without a leading zero. */
export function isWholeNumber(from: usize, to: usize): bool {
  const digits = to - from;
  return digits - 1 < MAX_DIGITS && (digits === 1 || load<u8>(from) !== ZERO);
}

/**
 * Writes the datum of the values that were kept to LINE_DATUM, with all of its fields, and returns where it ends; NOWHERE where a field
 * that must have a value has none. `present`: a bit for each field that has one. A datum has 3,735 octets at most, as no text is longer
 * than a record's may be; some 15 behind it are written, too.
 */
export function writeDatum(present: u32): usize {
  let at: usize = LINE_DATUM;
  for (let field: usize = 0; field < <usize>FIELDS; field++) {
    const kind: u32 = load<u8>(cell(FIELD_KINDS, field, 1));
    const isPresent = (present >> <u32>field) & 1;
    // The branch of a union of null and another type.
    if ((kind & NULLABLE) !== 0) store<u8>(at++, <u8>(isPresent << 1));
    else if (isPresent === 0) return NOWHERE;
    if (isPresent === 0) continue;
    const from: usize = load<u32>(cell(VALUE_START, field, 4));
    const length = <usize>load<u32>(cell(VALUE_END, field, 4)) - from;
    at = (kind & TEXT) !== 0 ? writeText(at, from, length) : putVarint(at, numberOf(from, length));
  }
  return at;
}

function writeText(at: usize, from: usize, length: usize): usize {
  return copy(putVarint(at, length), from, length);
}

/** The number that 1 to 15 digits make. */
function numberOf(from: usize, digits: usize): u64 {
  if (digits <= 8) return eightDigits(from, digits);
  return eightDigits(from, digits - 8) * 100000000 + eightDigits(from + digits - 8, 8);
}

/** The number that 1 to 8 digits make, all at once: pairs of digits become numbers below 100, then of 10,000, then of 10^8. */
function eightDigits(from: usize, digits: usize): u64 {
  // The first digit of eight is in the lowest octet; zeros go before fewer.
  let word = (load<u64>(from) ^ EIGHT_ZEROS) << ((8 - <u64>digits) << 3);
  word = (word * 2561) >> 8;
  word = ((word & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return ((word & 0x0000ffff0000ffff) * 42949672960001) >> 32;
}
