// AssemblyScript. One datum in plain layout, from its octets into a row of the columns.
import {
  ADDRESS,
  ASP_TEXT,
  CONTENT_CODES,
  CONTENT_TYPE,
  CONTENT_WORDS,
  DOWNLINK,
  END_TIME,
  FINGERPRINT,
  KEY_DIFFERS,
  LIMITS,
  MSISDN,
  NO_TEXT,
  NODE_TEXT,
  PROTOCOL,
  REMOTE_PORT,
  SCRATCH,
  SEQUENCE,
  SPONSOR_TEXT,
  START_TIME,
  TAG_TEXT,
  UPLINK,
} from '../regions';
import { readAddress } from './address';
import { datumFingerprint } from './datum-fingerprint';
import { cell, isAscii, NOWHERE, wordAt } from './octets';
import { FULL, numberOfText } from './texts';

const MAX_INT32: u64 = 0x7fffffff;
const MAX_PORT: u64 = 65535;
const MAX_PROTOCOL: u64 = 255;
const MAX_MSISDN_DIGITS: usize = 15;
const ZERO: u32 = 0x30;
/** Above every number that is read, so that numbers can be judged together. */
const UNUSUAL: u64 = 1 << 63;
/** Both identities null. */
const NO_IDENTITIES_OCTETS: usize = 2;

// Every reader of a field takes the field's place, and returns that of the next one, or NOWHERE.

/**
 * Reads the datum in [start, end) into row `row` of the columns; false where it is not plainly a valid record, which the long
 * way judges then, and whose row is not to be used. Numbers are read to the end of a group and judged there: what follows an
 * unusual one is read wrong, and thrown away. No more than SLACK_OCTETS behind `end` are looked at, and no result depends on
 * them.
 */
export function readDatum(start: usize, end: usize, row: usize, hasIdentities: bool, latestTimeMs: f64): bool {
  let at = readIdentity(start, end, row);
  if (at !== NOWHERE) at = readTerminals(at, end, row, latestTimeMs);
  if (at !== NOWHERE) at = readUsage(at, end, row);
  if (at === NOWHERE || at > end) return false;
  let datumEnd = at;
  const isWithout = at + NO_IDENTITIES_OCTETS === end && load<u16>(at) === 0;
  if (!hasIdentities || isWithout) {
    // Its fingerprint is that of a record of before there were identities.
    if (hasIdentities) at = end;
    store<i32>(cell(SPONSOR_TEXT, row, 4), NO_TEXT);
    store<i32>(cell(ASP_TEXT, row, 4), NO_TEXT);
  } else {
    at = readOptionalText(at, end, cell(SPONSOR_TEXT, row, 4));
    if (at !== NOWHERE) at = readOptionalText(at, end, cell(ASP_TEXT, row, 4));
    datumEnd = at;
  }
  if (at !== end) return false;
  store<u32>(cell(FINGERPRINT, row, 4), datumFingerprint(start, datumEnd));
  return true;
}

function readIdentity(start: usize, end: usize, row: usize): usize {
  if (load<u8>(start) === 0) return NOWHERE;
  let at = readText(start, end, cell(NODE_TEXT, row, 4));
  if (at === NOWHERE) return NOWHERE;
  let word = load<u64>(at);
  const sequence = wholeOf(word);
  at += octetsOf(word);
  word = load<u64>(at);
  const chargingId = wholeOf(word);
  at += octetsOf(word);
  word = load<u64>(at);
  const recordSequenceNumber = wholeOf(word);
  at += octetsOf(word);
  if ((sequence | chargingId | recordSequenceNumber) >= UNUSUAL) return NOWHERE;
  store<f64>(cell(SEQUENCE, row, 8), <f64>(<i64>sequence));
  at = readMsisdn(at, end, row);
  return at === NOWHERE ? NOWHERE : skipOptionalText(at, end);
}

function readTerminals(from: usize, end: usize, row: usize, latestTimeMs: f64): usize {
  let word = load<u64>(from);
  const startTimeMs = <f64>(<i64>wholeOf(word));
  let at = from + octetsOf(word);
  word = load<u64>(at);
  const endTimeMs = <f64>(<i64>wholeOf(word));
  at += octetsOf(word);
  // As a signed number UNUSUAL is below any.
  if (startTimeMs < load<f64>(LIMITS) || endTimeMs < startTimeMs || endTimeMs > min(latestTimeMs, load<f64>(LIMITS, 8)))
    return NOWHERE;
  store<f64>(cell(START_TIME, row, 8), startTimeMs);
  store<f64>(cell(END_TIME, row, 8), endTimeMs);
  at = readAddressText(at, end, SCRATCH);
  if (at !== NOWHERE) at = readAddressText(at, end, cell(ADDRESS, row, 16));
  if (at === NOWHERE) return NOWHERE;
  word = load<u64>(at);
  const terminalPort = wholeOf(word);
  at += octetsOf(word);
  word = load<u64>(at);
  const remotePort = wholeOf(word);
  at += octetsOf(word);
  word = load<u64>(at);
  const protocol = wholeOf(word);
  at += octetsOf(word);
  store<u16>(cell(REMOTE_PORT, row, 2), <u16>remotePort);
  store<u8>(cell(PROTOCOL, row, 1), <u8>protocol);
  return terminalPort <= MAX_PORT && remotePort <= MAX_PORT && protocol <= MAX_PROTOCOL ? at : NOWHERE;
}

function readUsage(from: usize, end: usize, row: usize): usize {
  let at = readOptionalText(from, end, cell(TAG_TEXT, row, 4));
  if (at !== NOWHERE) at = readContentType(at, end, row);
  if (at !== NOWHERE) at = skipOptionalInt(at); // ratingGroup
  if (at !== NOWHERE) at = skipOptionalInt(at); // serviceIdentifier
  if (at === NOWHERE) return NOWHERE;
  let word = load<u64>(at);
  const uplinkOctets = wholeOf(word);
  at += octetsOf(word);
  word = load<u64>(at);
  const downlinkOctets = wholeOf(word);
  store<f64>(cell(UPLINK, row, 8), <f64>(<i64>uplinkOctets));
  store<f64>(cell(DOWNLINK, row, 8), <f64>(<i64>downlinkOctets));
  return (uplinkOctets | downlinkOctets) >= UNUSUAL ? NOWHERE : at + octetsOf(word);
}

/** The octets of the varint that a word begins with; 9 if it has more than 8. */
function octetsOf(word: u64): usize {
  return <usize>(ctz(~word & 0x8080808080808080) >> 3) + 1;
}

/**
 * The number of the varint that a word begins with: of at most 7 octets and not negative (zigzag), and so below 2^48. UNUSUAL
 * for any other, and for one that is longer than it need be: a record has one datum only, over which its fingerprint is taken.
 * Without a loop over its octets.
 */
function wholeOf(word: u64): u64 {
  if ((word & 0x81) === 0) return (word & 0x7f) >> 1;
  const octets: u64 = octetsOf(word);
  if (octets > 7) return UNUSUAL;
  let bits = word & (((<u64>1) << (octets << 3)) - 1);
  const last = bits >> ((octets - 1) << 3);
  if ((bits & 1) !== 0 || last === 0) return UNUSUAL;
  // Seven bits of each octet move together: to pairs, fours, eights.
  bits = (bits & 0x007f007f007f007f) | ((bits & 0x7f007f007f007f00) >> 1);
  bits = (bits & 0x00003fff00003fff) | ((bits & 0x3fff00003fff0000) >> 2);
  return ((bits & 0x0fffffff) | ((bits & 0x0fffffff00000000) >> 4)) >> 1;
}

/**
 * Where the octets of the text field at `at` begin, if they fit into the datum. The length of a text that is read here takes one
 * octet or two: a record takes 10 ns less than where numbers' reader reads them.
 */
function textAt(at: usize, end: usize): usize {
  const first: u32 = load<u8>(at);
  const second: u32 = load<u8>(at + 1);
  // Odd is negative (zigzag). The last octet is below 128, and not 0: a length is no longer than it need be.
  if ((first & 1) !== 0 || (first >= 0x80 && second - 1 >= 0x7f)) return NOWHERE;
  const length = lengthAt(at);
  const from = at + 1 + (first >> 7);
  return length <= <usize>load<u32>(LIMITS, 16) && from + length <= end ? from : NOWHERE;
}

/** The length of the text field at `at`, where `textAt` finds it. */
function lengthAt(at: usize): usize {
  const first: usize = load<u8>(at);
  return first < 0x80 ? first >> 1 : ((first & 0x7f) | ((<usize>load<u8>(at + 1)) << 7)) >> 1;
}

/** Numbers an ASCII text into `out`. */
function readText(at: usize, end: usize, out: usize): usize {
  const from = textAt(at, end);
  const length = lengthAt(at);
  if (from === NOWHERE || !isAscii(from, length)) return NOWHERE;
  const number = numberOfText(from, length);
  store<i32>(out, number);
  return number === FULL ? NOWHERE : from + length;
}

// The branch of a union of null and another type: 0 is null, 2 the other.

function readOptionalText(at: usize, end: usize, out: usize): usize {
  const branch = load<u8>(at);
  if (branch === 2) return readText(at + 1, end, out);
  store<i32>(out, NO_TEXT);
  return branch === 0 ? at + 1 : NOWHERE;
}

function skipOptionalText(at: usize, end: usize): usize {
  const branch = load<u8>(at);
  if (branch !== 2) return branch === 0 ? at + 1 : NOWHERE;
  const from = textAt(at + 1, end);
  const length = lengthAt(at + 1);
  return from !== NOWHERE && isAscii(from, length) ? from + length : NOWHERE;
}

function skipOptionalInt(at: usize): usize {
  const branch = load<u8>(at);
  if (branch !== 2) return branch === 0 ? at + 1 : NOWHERE;
  const word = load<u64>(at + 1);
  return wholeOf(word) <= MAX_INT32 ? at + 1 + octetsOf(word) : NOWHERE;
}

/** The MSISDN's digits after a 1, which keeps leading zeros apart. */
function readMsisdn(at: usize, end: usize, row: usize): usize {
  const from = textAt(at, end);
  const length = lengthAt(at);
  // No country code begins with 0: what does is in another form than the normal one, or no MSISDN.
  if (from === NOWHERE || length - 1 >= MAX_MSISDN_DIGITS || load<u8>(from) === ZERO) return NOWHERE;
  const key = keyOf(from, from + length);
  store<f64>(cell(MSISDN, row, 8), <f64>(<i64>key));
  return key === 0 ? NOWHERE : from + length;
}

/** The number that a 1 and up to 15 digits make; 0 where they are no digits. */
function keyOf(from: usize, to: usize): u64 {
  let key: u64 = 1;
  for (let at = from; at < to; at++) {
    const digit = <u32>load<u8>(at) - ZERO;
    if (digit > 9) return 0;
    key = key * 10 + digit;
  }
  return key;
}

/** Writes whether the message key in [from, to) is other than the MSISDN's digits; without a key it is. */
export function compareKey(row: usize, from: usize, to: usize): void {
  const key = to - from - 1 < MAX_MSISDN_DIGITS ? <f64>(<i64>keyOf(from, to)) : 0;
  store<u8>(cell(KEY_DIFFERS, row, 1), u8(key !== load<f64>(cell(MSISDN, row, 8))));
}

function readAddressText(at: usize, end: usize, out: usize): usize {
  const from = textAt(at, end);
  const length = lengthAt(at);
  return from !== NOWHERE && readAddress(from, from + length, out) ? from + length : NOWHERE;
}

/** The codes' names are in CONTENT_WORDS, eight octets each: none is longer. Null has the code whose name is left out there. */
function readContentType(at: usize, end: usize, row: usize): usize {
  const branch = load<u8>(at);
  let next = at + 1;
  let word: u64 = 0;
  if (branch === 2) {
    const from = textAt(next, end);
    const length = lengthAt(next);
    if (from === NOWHERE || length - 1 >= 8) return NOWHERE;
    next = from + length;
    word = wordAt(from, length);
    // A zero at the end would leave the word's length in doubt.
    if (load<u8>(next - 1) === 0) return NOWHERE;
  } else if (branch !== 0) return NOWHERE;
  for (let code: usize = 0; code < <usize>CONTENT_CODES; code++) {
    if (load<u64>(cell(CONTENT_WORDS, code, 8)) !== word) continue;
    store<u8>(cell(CONTENT_TYPE, row, 1), <u8>code);
    return next;
  }
  return NOWHERE;
}
