// AssemblyScript. One object in JSON: where the values of a flow record's fields are in it.
import {
  FIELD_KINDS,
  FIELD_NAME_BYTES,
  FIELD_NAME_LENGTHS,
  FIELD_NAMES,
  FIELDS,
  MEMBER_FIELDS,
  TEXT,
} from '../regions';
import { isWholeNumber, keepValue } from './line-datum';
import { cell, digitsAt, NOWHERE, textEnd, wordAt } from './octets';

const SPACE: u8 = 0x20;
const QUOTE: u8 = 0x22;
const COMMA: u8 = 0x2c;
const COLON: u8 = 0x3a;
const BACKSLASH: u8 = 0x5c;
const OPENING_BRACE: u8 = 0x7b;
const CLOSING_BRACE: u8 = 0x7d;
/** `null`. */
const NULL: u32 = 0x6c6c756e;

/**
 * Keeps the places of the values of the object in [start, end), and returns a bit for each field that has one; a field that is null has
 * none. 0 where it is not plainly an object that names fields of a flow record only, each once, in any order, with values in ASCII
 * without escapes, in digits, or null. Blanks between them are spaces. What is behind `end` is looked at, no further than
 * SLACK_OCTETS, and no result depends on it: the closing brace has to be the last octet but spaces.
 */
export function findMembers(start: usize, end: usize): u32 {
  if (load<u8>(start) !== OPENING_BRACE) return 0;
  let named: u32 = 0;
  let present: u32 = 0;
  let at = start;
  for (let member: usize = 0; member < <usize>FIELDS; member++) {
    at = skipSpaces(at + 1, end);
    if (at >= end || load<u8>(at) !== QUOTE) return 0;
    const field = fieldNamed(at + 1, member);
    if (field === <usize>FIELDS || ((named >> <u32>field) & 1) !== 0) return 0;
    named |= 1 << (<u32>field);
    at = skipSpaces(at + 1 + load<u8>(cell(FIELD_NAME_LENGTHS, field, 1)), end);
    if (load<u8>(at) !== COLON) return 0;
    at = skipSpaces(at + 1, end);
    if (load<u32>(at) === NULL) at += 4;
    else {
      at = findValue(at, end, field);
      if (at === NOWHERE) return 0;
      present |= 1 << (<u32>field);
    }
    at = skipSpaces(at, end);
    const separator = load<u8>(at);
    if (separator === CLOSING_BRACE) return skipSpaces(at + 1, end) === end ? present : 0;
    if (separator !== COMMA) return 0;
  }
  return 0;
}

function skipSpaces(from: usize, end: usize): usize {
  let at = from;
  while (at < end && load<u8>(at) === SPACE) at++;
  return at;
}

/**
 * The field whose name, with the quote behind it, is at `at`; FIELDS if none is. The one that this member of the last line had is looked
 * at first: a file has one order.
 */
function fieldNamed(at: usize, member: usize): usize {
  const expected: usize = load<u8>(cell(MEMBER_FIELDS, member, 1));
  if (isName(at, expected)) return expected;
  for (let field: usize = 0; field < <usize>FIELDS; field++) {
    if (!isName(at, field)) continue;
    store<u8>(cell(MEMBER_FIELDS, member, 1), <u8>field);
    return field;
  }
  return <usize>FIELDS;
}

/** Names are kept with zeros up to a whole number of eight octets. */
function isName(at: usize, field: usize): bool {
  const name = cell(FIELD_NAMES, field, FIELD_NAME_BYTES);
  const length: usize = load<u8>(cell(FIELD_NAME_LENGTHS, field, 1));
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(name + i) !== load<u64>(at + i)) return false;
  return i === length || load<u64>(name + i) === wordAt(at + i, length - i);
}

/** Returns the place behind the value. */
function findValue(at: usize, end: usize, field: usize): usize {
  if ((load<u8>(cell(FIELD_KINDS, field, 1)) & TEXT) === 0) {
    const to = at + digitsAt(at);
    if (!isWholeNumber(at, to)) return NOWHERE;
    keepValue(field, at, to);
    return to;
  }
  if (load<u8>(at) !== QUOTE) return NOWHERE;
  const to = textEnd(at + 1, end, QUOTE, BACKSLASH);
  if (to === NOWHERE || to === end) return NOWHERE;
  keepValue(field, at + 1, to);
  return to + 1;
}
