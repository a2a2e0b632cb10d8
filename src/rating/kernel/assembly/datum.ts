// AssemblyScript. One datum in plain layout, from its octets into a row of the columns.
import {
  ACCOUNT_TEXT,
  ADDRESS,
  ASP_TEXT,
  CONTENT_CODES,
  CONTENT_TYPE,
  CONTENT_WORDS,
  DETECTED_BY,
  DETECTED_TEXT,
  DETECTION_CODES,
  DETECTION_WORDS,
  DOWNLINK,
  END_TIME,
  FINGERPRINT,
  HAS_NETWORK,
  KEY_DIFFERS,
  KEY_IS_ACCOUNT,
  LIMITS,
  MAX_ACCOUNT_OCTETS,
  MSISDN,
  NO_RAT_TYPE,
  NO_TEXT,
  NODE_TEXT,
  PROTOCOL,
  RAT_TYPE,
  RATING_GROUP,
  REMOTE_PORT,
  SCRATCH,
  SEQUENCE,
  SERVICE_IDENTIFIER,
  SERVING_PLMN_TEXT,
  SPONSOR_TEXT,
  START_TIME,
  TAG_TEXT,
  TRACKING_AREA_TEXT,
  UPLINK,
  WITH_ACCOUNT,
  WITH_NETWORK,
  WITHOUT_IDENTITIES,
} from '../regions';
import { readAddress } from './address';
import { datumFingerprint } from './datum-fingerprint';
import {
  lengthAt,
  readOptionalInt,
  readOptionalText,
  readOptionalWord,
  readText,
  skipOptionalText,
  textAt,
  UNUSUAL,
  varintOctetsOf,
  wholeOf,
} from './datum-values';
import { cell, NOWHERE, wordAt } from './octets';
import { isTextOf } from './texts';

const MAX_PORT: u64 = 65535;
const MAX_PROTOCOL: u64 = 255;
const MAX_MSISDN_DIGITS: usize = 15;
const MIN_PLMN_DIGITS: usize = 5;
const MAX_PLMN_DIGITS: usize = 6;
const MAX_RAT_TYPE: u64 = 255;
const ZERO: u32 = 0x30;
const LETTER_A: u32 = 0x61;
const HYPHEN: u8 = 0x2d;
/** Octets of the identities that are null, of the fields of the network behind them, and of the account. */
const NO_IDENTITIES_OCTETS: usize = 2;
const NO_NETWORK_OCTETS: usize = 5;
const NO_ACCOUNT_OCTETS: usize = 1;
const FIRST_PRINTABLE: u32 = 0x21;
const PRINTABLES: u32 = 0x5e;

/**
 * Reads the datum in [start, end) into row `row` of the columns; false where it is not plainly a valid record, which the long
 * way judges then, and whose row is not to be used. Numbers are read to the end of a group and judged there: what follows an
 * unusual one is read wrong, and thrown away. No more than SLACK_OCTETS behind `end` are looked at, and no result depends on
 * them.
 */
export function readDatum(start: usize, end: usize, row: usize, layout: u32, latestTimeMs: f64): bool {
  let at = readIdentity(start, end, row);
  if (at !== NOWHERE) at = readTerminals(at, end, row, latestTimeMs);
  if (at !== NOWHERE) at = readUsage(at, end, row);
  if (at === NOWHERE || at > end) return false;
  // The fingerprint is that of a record of before there were the fields that are null at the end.
  let datumEnd = at;
  store<u8>(cell(HAS_NETWORK, row, 1), 0);
  store<i32>(cell(ACCOUNT_TEXT, row, 4), NO_TEXT);
  let optional: usize = 0;
  if (layout !== WITHOUT_IDENTITIES) optional = NO_IDENTITIES_OCTETS;
  if (layout >= <u32>WITH_NETWORK) optional += NO_NETWORK_OCTETS;
  if (layout === WITH_ACCOUNT) optional += NO_ACCOUNT_OCTETS;
  if (areNull(at, end, optional)) {
    at = end;
    store<i32>(cell(SPONSOR_TEXT, row, 4), NO_TEXT);
    store<i32>(cell(ASP_TEXT, row, 4), NO_TEXT);
  } else if (layout !== WITHOUT_IDENTITIES) {
    at = readOptionalText(at, end, cell(SPONSOR_TEXT, row, 4));
    if (at !== NOWHERE) at = readOptionalText(at, end, cell(ASP_TEXT, row, 4));
    datumEnd = at;
    if (at !== NOWHERE && layout >= <u32>WITH_NETWORK) {
      if (areNull(at, end, optional - NO_IDENTITIES_OCTETS)) at = end;
      else {
        datumEnd = at = readNetwork(at, end, row);
        if (at !== NOWHERE && layout === WITH_ACCOUNT) {
          if (areNull(at, end, NO_ACCOUNT_OCTETS)) at = end;
          else datumEnd = at = readAccount(at, end, row);
        }
      }
    }
  }
  if (at !== end) return false;
  store<u32>(cell(FINGERPRINT, row, 4), datumFingerprint(start, datumEnd));
  return true;
}

/** Whether the datum ends with so many octets (0 to 8) from `at` on, and all of them are 0. */
function areNull(at: usize, end: usize, octets: usize): bool {
  return at + octets === end && (octets === 0 || wordAt(at, octets) === 0);
}

function readIdentity(start: usize, end: usize, row: usize): usize {
  if (load<u8>(start) === 0) return NOWHERE;
  let at = readText(start, end, cell(NODE_TEXT, row, 4));
  if (at === NOWHERE) return NOWHERE;
  let word = load<u64>(at);
  const sequence = wholeOf(word);
  at += varintOctetsOf(word);
  word = load<u64>(at);
  const chargingId = wholeOf(word);
  at += varintOctetsOf(word);
  word = load<u64>(at);
  const recordSequenceNumber = wholeOf(word);
  at += varintOctetsOf(word);
  if ((sequence | chargingId | recordSequenceNumber) >= UNUSUAL) return NOWHERE;
  store<f64>(cell(SEQUENCE, row, 8), <f64>(<i64>sequence));
  at = readMsisdn(at, end, row);
  return at === NOWHERE ? NOWHERE : skipOptionalText(at, end);
}

function readTerminals(from: usize, end: usize, row: usize, latestTimeMs: f64): usize {
  let word = load<u64>(from);
  const startTimeMs = <f64>(<i64>wholeOf(word));
  let at = from + varintOctetsOf(word);
  word = load<u64>(at);
  const endTimeMs = <f64>(<i64>wholeOf(word));
  at += varintOctetsOf(word);
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
  at += varintOctetsOf(word);
  word = load<u64>(at);
  const remotePort = wholeOf(word);
  at += varintOctetsOf(word);
  word = load<u64>(at);
  const protocol = wholeOf(word);
  at += varintOctetsOf(word);
  store<u16>(cell(REMOTE_PORT, row, 2), <u16>remotePort);
  store<u8>(cell(PROTOCOL, row, 1), <u8>protocol);
  return terminalPort <= MAX_PORT && remotePort <= MAX_PORT && protocol <= MAX_PROTOCOL ? at : NOWHERE;
}

function readUsage(from: usize, end: usize, row: usize): usize {
  let at = readOptionalText(from, end, cell(TAG_TEXT, row, 4));
  if (at !== NOWHERE) at = readOptionalWord(at, end, CONTENT_WORDS, CONTENT_CODES, cell(CONTENT_TYPE, row, 1));
  if (at !== NOWHERE) at = readOptionalInt(at, cell(RATING_GROUP, row, 4));
  if (at !== NOWHERE) at = readOptionalInt(at, cell(SERVICE_IDENTIFIER, row, 4));
  if (at === NOWHERE) return NOWHERE;
  let word = load<u64>(at);
  const uplinkOctets = wholeOf(word);
  at += varintOctetsOf(word);
  word = load<u64>(at);
  const downlinkOctets = wholeOf(word);
  store<f64>(cell(UPLINK, row, 8), <f64>(<i64>uplinkOctets));
  store<f64>(cell(DOWNLINK, row, 8), <f64>(<i64>downlinkOctets));
  return (uplinkOctets | downlinkOctets) >= UNUSUAL ? NOWHERE : at + varintOctetsOf(word);
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

/** Writes whether the message key in [from, to) is the record's account, or other than the MSISDN's digits; without a key it is. */
export function compareKey(row: usize, from: usize, to: usize): void {
  const account = load<i32>(cell(ACCOUNT_TEXT, row, 4));
  if (account !== NO_TEXT && isTextOf(account, from, to - from)) {
    store<u8>(cell(KEY_DIFFERS, row, 1), KEY_IS_ACCOUNT);
    return;
  }
  const key = to - from - 1 < MAX_MSISDN_DIGITS ? <f64>(<i64>keyOf(from, to)) : 0;
  store<u8>(cell(KEY_DIFFERS, row, 1), u8(key !== load<f64>(cell(MSISDN, row, 8))));
}

function readAddressText(at: usize, end: usize, out: usize): usize {
  const from = textAt(at, end);
  const length = lengthAt(at);
  return from !== NOWHERE && readAddress(from, from + length, out) ? from + length : NOWHERE;
}

/** The fields behind the identities. Where HAS_NETWORK is 0 no other column of theirs is to be read. */
function readNetwork(from: usize, end: usize, row: usize): usize {
  store<u8>(cell(HAS_NETWORK, row, 1), 1);
  let at = readServingPlmn(from, end, row);
  if (at !== NOWHERE) at = readRatType(at, row);
  if (at !== NOWHERE) at = readTrackingArea(at, end, row);
  if (at !== NOWHERE) at = readOptionalText(at, end, cell(DETECTED_TEXT, row, 4));
  if (at === NOWHERE) return NOWHERE;
  return readOptionalWord(at, end, DETECTION_WORDS, DETECTION_CODES, cell(DETECTED_BY, row, 1));
}

function readAccount(at: usize, end: usize, row: usize): usize {
  const next = readOptionalText(at, end, cell(ACCOUNT_TEXT, row, 4));
  if (next === NOWHERE || load<u8>(at) === 0) return next;
  const length = lengthAt(at + 1);
  if (length - 1 >= <usize>MAX_ACCOUNT_OCTETS) return NOWHERE;
  for (let place = next - length; place < next; place++) {
    if (<u32>load<u8>(place) - FIRST_PRINTABLE >= PRINTABLES) return NOWHERE;
  }
  return next;
}

function readServingPlmn(at: usize, end: usize, row: usize): usize {
  const next = readOptionalText(at, end, cell(SERVING_PLMN_TEXT, row, 4));
  if (next === NOWHERE || load<u8>(at) === 0) return next;
  const length = lengthAt(at + 1);
  return length !== 0 && plmnDigits(next - length, next) === length ? next : NOWHERE;
}

function readTrackingArea(at: usize, end: usize, row: usize): usize {
  const next = readOptionalText(at, end, cell(TRACKING_AREA_TEXT, row, 4));
  if (next === NOWHERE || load<u8>(at) === 0) return next;
  const from = next - lengthAt(at + 1);
  const hyphen = from + plmnDigits(from, next);
  const hexDigits = next - hyphen - 1;
  if (hyphen === from || load<u8>(hyphen) !== HYPHEN || (hexDigits !== 4 && hexDigits !== 6)) return NOWHERE;
  for (let digit = hyphen + 1; digit < next; digit++) {
    const code = <u32>load<u8>(digit);
    if (code - ZERO > 9 && code - LETTER_A > 5) return NOWHERE;
  }
  return next;
}

/** How many digits a text begins with, if these are a PLMN's: 5, or 6 of 6 and more. 0 where they are fewer. */
function plmnDigits(from: usize, to: usize): usize {
  let at = from;
  while (at < to && at - from < MAX_PLMN_DIGITS && <u32>load<u8>(at) - ZERO <= 9) at++;
  return at - from >= MIN_PLMN_DIGITS ? at - from : 0;
}

function readRatType(at: usize, row: usize): usize {
  const branch = load<u8>(at);
  store<i32>(cell(RAT_TYPE, row, 4), NO_RAT_TYPE);
  if (branch !== 2) return branch === 0 ? at + 1 : NOWHERE;
  const word = load<u64>(at + 1);
  const ratType = wholeOf(word);
  store<i32>(cell(RAT_TYPE, row, 4), <i32>ratType);
  return ratType <= MAX_RAT_TYPE ? at + 1 + varintOctetsOf(word) : NOWHERE;
}
