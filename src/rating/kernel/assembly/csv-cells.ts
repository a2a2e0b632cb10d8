// AssemblyScript. One line of CSV: where the values of a flow record's fields are in it.
import { COLUMN_COUNT, COLUMN_FIELDS, FIELD_KINDS, TEXT } from '../regions';
import { isWholeNumber, keepValue } from './line-datum';
import { cell, digitsAt, NOWHERE, textEnd } from './octets';

const QUOTE: u8 = 0x22;
const COMMA: u8 = 0x2c;

/**
 * Keeps the places of the cells of the line in [start, end), and returns a bit for each field that has one; an empty cell has none. 0 where
 * it is not plainly one cell for each column, without quotes, in ASCII, numbers in digits.
 */
export function findCells(start: usize, end: usize): u32 {
  const columns = load<u32>(COLUMN_COUNT);
  let present: u32 = 0;
  let at = start;
  for (let column: u32 = 0; column < columns; column++) {
    const to = textEnd(at, end, COMMA, QUOTE);
    if (to === NOWHERE) return 0;
    const field: usize = load<u8>(cell(COLUMN_FIELDS, column, 1));
    if (to > at) {
      const isText = (load<u8>(cell(FIELD_KINDS, field, 1)) & TEXT) !== 0;
      if (!isText && !(at + min(digitsAt(at), to - at) === to && isWholeNumber(at, to))) return 0;
      keepValue(field, at, to);
      present |= 1 << (<u32>field);
    }
    if (to === end) return column + 1 === columns ? present : 0;
    at = to + 1;
  }
  return 0;
}
