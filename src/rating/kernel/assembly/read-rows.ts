// AssemblyScript. What the caller of the kernel calls; README.md says what is where.
import {
  DATUM_END,
  DATUM_START,
  DOWNLINK,
  KEY_END,
  KEY_START,
  LATEST_TIME,
  LAYOUT,
  PAGES,
  UPLINK,
  USAGE,
  WITH_IDENTITIES,
} from '../regions';
import { compareKey, readDatum } from './datum';
import { cell } from './octets';

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
    const hasIdentities = load<u8>(cell(LAYOUT, row, 1)) === WITH_IDENTITIES;
    if (start >= end || !readDatum(start, end, row, hasIdentities, load<f64>(cell(LATEST_TIME, row, 8)))) break;
    compareKey(row, load<u32>(cell(KEY_START, row, 4)), load<u32>(cell(KEY_END, row, 4)));
    usage += load<f64>(cell(UPLINK, row, 8)) + load<f64>(cell(DOWNLINK, row, 8));
  }
  store<f64>(USAGE, usage);
  return row;
}
