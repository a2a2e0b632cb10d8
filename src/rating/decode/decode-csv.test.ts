import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvCells, csvDecoder } from './decode-csv.ts';

const octets = (text: string): Uint8Array => Buffer.from(text);
const decode = csvDecoder(['nodeId', 'servedImsi', 'uplinkOctets', 'zeroRatingTag']);

test.each([
  ['plain cells', 'pgw-1,001,42,im', { nodeId: 'pgw-1', servedImsi: '001', uplinkOctets: 42, zeroRatingTag: 'im' }],
  ['empty cells', 'pgw-1,,0,', { nodeId: 'pgw-1', servedImsi: null, uplinkOctets: 0, zeroRatingTag: null }],
  ['quotes', '"pgw,1","","42","a""b"', { nodeId: 'pgw,1', servedImsi: null, uplinkOctets: 42, zeroRatingTag: 'a"b' }],
  ['a negative number', 'n,,-1,', { nodeId: 'n', servedImsi: null, uplinkOctets: -1, zeroRatingTag: null }],
])('reads %s', (_case, line, candidate) => {
  expect(decode(octets(line))).toEqual({ candidate });
});

test.each(['1.0', '1e3', '+1', ' 1', '0x10', '1 000', '١'])('leaves %s as text, not a whole number', (cell) => {
  expect(decode(octets(`n,,${cell},`)).candidate?.uplinkOctets).toBe(cell);
});

test.each([
  ['too few cells', 'pgw-1,001,42', '3 cells, but 4 columns'],
  ['too many cells', 'pgw-1,001,42,im,', '5 cells, but 4 columns'],
  ['an open quote', 'pgw-1,"001,42,im', 'a quote out of place in cell 2'],
  ['a quote inside', 'pgw-1,0"01,42,im', 'a quote out of place in cell 2'],
  ['a carriage return', 'pgw-1,001,42\r,im', 'a carriage return within the line'],
  ['a carriage return beside quotes', '"pgw-1",001,4\r2,im', 'a quote out of place in cell 3'],
  ['text after a quote', 'pgw-1,"001"1,42,im', 'a quote out of place in cell 2'],
])('says what is wrong with %s', (_case, line, detail) => {
  expect(decode(octets(line))).toEqual({ fault: { reason: 'malformed', detail } });
});

test('refuses octets that are not UTF-8', () => {
  expect(decode(Buffer.from([0x61, 0xff, 0x2c]))).toEqual({ fault: { reason: 'malformed', detail: 'not UTF-8' } });
});

test('splits a line as a general CSV parser does, or refuses it as that does', () => {
  const line = fc
    .string({ unit: fc.constantFrom('a', 'é', ' ', ',', '"', '""', ',"', '",') })
    .filter((text) => text !== '');
  fc.assert(
    fc.property(line, (text) => {
      const cells = csvCells(octets(text));
      expect(typeof cells === 'string' ? null : cells).toEqual(generalParser(text));
    }),
    { numRuns: 500 },
  );
});

test('reads back every cell that was quoted', () => {
  const cell = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
      const line = cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
      expect(csvCells(octets(line))).toEqual(cells);
    }),
  );
});

test('never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (value) => {
      decode(value);
    }),
  );
});

function generalParser(line: string): string[] | null {
  try {
    return parse(line, { relax_column_count: true })[0] ?? null;
  } catch {
    return null;
  }
}
