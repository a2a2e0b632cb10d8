// AssemblyScript. What the caller of the kernel calls; README.md says what is where.
import {
  CSV_CELLS,
  DATUM_END,
  DATUM_START,
  DOWNLINK,
  JSON_OBJECT,
  KEY_END,
  KEY_START,
  LATEST_TIME,
  LAYOUT,
  LINE_DATUM,
  PAGES,
  UPLINK,
  USAGE,
  WITH_ACCOUNT,
} from '../regions';
import { findCells } from './csv-cells';
import { compareKey, readDatum } from './datum';
import { findMembers } from './json-object';
import { writeDatum } from './line-datum';
import { cell, NOWHERE } from './octets';

export { forgetTexts } from './texts';

// All of the memory at once: it never grows.
memory.grow(PAGES - memory.size());

/**
 * Reads the rows from `from` on into the columns, and returns the first that it did not: one whose record is unusual, the one
 * after that with which the usage octets reach `usageRoom`, or `to`. The usage octets of the rows read are in USAGE.
 */
export function readRows(from: usize, to: usize, usageRoom: f64): usize {
  let usage: f64 = 0;
  let row = from;
  for (; row < to && usage < usageRoom; row++) {
    const start: usize = load<u32>(cell(DATUM_START, row, 4));
    const end: usize = load<u32>(cell(DATUM_END, row, 4));
    if (start >= end || !readRow(start, end, row)) break;
    compareKey(row, load<u32>(cell(KEY_START, row, 4)), load<u32>(cell(KEY_END, row, 4)));
    usage += load<f64>(cell(UPLINK, row, 8)) + load<f64>(cell(DOWNLINK, row, 8));
  }
  store<f64>(USAGE, usage);
  return row;
}

/**
 * Reads a datum, or a line: that becomes the datum of the same record first, so that the rules and the fingerprint are those of a datum.
 * Beside a datum's 400 ns a line of 521 octets in JSON takes 540 more, one of 161 in CSV 380.
 */
function readRow(start: usize, end: usize, row: usize): bool {
  const latestTimeMs = load<f64>(cell(LATEST_TIME, row, 8));
  const layout = load<u8>(cell(LAYOUT, row, 1));
  let present: u32 = 0;
  if (layout === JSON_OBJECT) present = findMembers(start, end);
  else if (layout === CSV_CELLS) present = findCells(start, end);
  else return readDatum(start, end, row, layout, latestTimeMs);
  const datumEnd = present === 0 ? NOWHERE : writeDatum(present);
  return datumEnd !== NOWHERE && readDatum(LINE_DATUM, datumEnd, row, WITH_ACCOUNT, latestTimeMs);
}
