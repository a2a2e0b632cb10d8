import { beforeAll, describe, expect, test } from 'vitest';
import { csvCells } from '../../rating/decode/decode-csv.ts';
import { ROW_FIELDS, type RowField } from './exported-row.ts';
import { type BookedStatement, bookedStatement, readRows, verified } from './verify.fixture.ts';

let booked: BookedStatement;
beforeAll(async () => {
  booked = await bookedStatement();
});

/** Returns the CSV as a spreadsheet writes it: quotes only where a cell needs them. */
function spreadsheetCsv(csv: string, { delimiter = ',', change = (_: RowField, text: string) => text } = {}): string {
  const lines = csv.trimEnd().split('\n');
  return lines
    .map((line, at) => {
      const cells = csvCells(Buffer.from(line));
      if (typeof cells === 'string') throw new Error(cells);
      return cells
        .map((cell, column) => (at === 0 ? cell : change(ROW_FIELDS[column], cell)))
        .map((cell) => (/["\r\n]/.test(cell) || cell.includes(delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell))
        .join(delimiter);
    })
    .map((line) => `${line}\r\n`)
    .join('');
}

describe('re-saved with the same content: it verifies, and the change is named', () => {
  test.each<[string, (csv: string) => string, string[]]>([
    ['as it was exported', (csv) => csv, []],
    ['CRLF', (csv) => csv.replaceAll('\n', '\r\n'), ['CRLF line ends']],
    ['a byte order mark', (csv) => `\ufeff${csv}`, ['byte order mark']],
    ['no line end at the end', (csv) => csv.trimEnd(), ['no line end at the end']],
    ['by a spreadsheet', (csv) => spreadsheetCsv(csv), ['CRLF line ends', 'quotes removed']],
    [
      'by a spreadsheet, as UTF-8 with a mark',
      (csv) => `\ufeff${spreadsheetCsv(csv)}`,
      ['byte order mark', 'CRLF line ends', 'quotes removed'],
    ],
    [
      'with quotes around every cell',
      (csv) =>
        csv.trimEnd().replace(/^.*$/gm, (line) => (csvCells(Buffer.from(line)) as string[]).map(quoted).join(',')),
      ['no line end at the end'],
    ],
  ])('%s', async (_, change, expected) => {
    const { rows, resaved } = await readRows(change(booked.csv));
    expect(resaved).toEqual(expected);
    expect((await verified(booked.statement, rows)).faults).toEqual([]);
  });
});

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

describe('re-saved with other content: refused, and named', () => {
  const changed =
    (field: RowField, to: (text: string) => string) =>
    (csv: string): string =>
      spreadsheetCsv(csv, { change: (name, text) => (name === field ? to(text) : text) });

  test.each<[string, (csv: string) => string | Buffer, RegExp]>([
    ['semicolons', (csv) => spreadsheetCsv(csv, { delimiter: ';' }), /:1: re-saved by a spreadsheet: semicolons/],
    ['tabs', (csv) => spreadsheetCsv(csv, { delimiter: '\t' }), /:1: re-saved by a spreadsheet: tabs/],
    [
      'scientific form',
      changed('used_octets_after', () => '1.2E+11'),
      /used_octets_after: .*"1\.2E\+11".* scientific form/,
    ],
    ['scientific form with a comma', changed('charge_micros', () => '1,2E+11'), /charge_micros: .* scientific form/],
    ['groups of digits', changed('charge_micros', () => '1,525,879'), /charge_micros: .* digits in groups/],
    ['groups with points', changed('charge_micros', () => '1.525.879'), /charge_micros: .* digits in groups/],
    ['decimals', changed('sponsored_octets', (text) => `${text}.00`), /sponsored_octets: .* with decimals/],
    ['a pseudonym as a number', changed('subscriber', () => '9.99E+31'), /subscriber: .* scientific form/],
    ['leading zeros lost', changed('subscriber', (text) => text.slice(2)), /subscriber: .* lost its leading zeros/],
    ['leading zeros added', changed('partition', () => '007'), /partition: .* zeros before a number/],
    [
      'dates of another country',
      changed('booking_date', () => '08.10.2026'),
      /booking_date: .* a date in another form/,
    ],
    ['American dates', changed('period_start', () => '10/1/2026'), /period_start: .* a date in another form/],
    ['a month as a date', changed('month', () => 'Oct-26'), /month: .* a month in another form/],
    [
      'an instant as a date',
      changed('start_time', () => '05.10.2026 00:00:00'),
      /start_time: .* a date in another form/,
    ],
    ['a column too narrow', changed('offset', () => '########'), /offset: .* column that was too narrow/],
    ['an empty cell', changed('evidence', () => ''), /evidence: .* an empty cell/],
    ['UTF-16', (csv) => Buffer.from(`\ufeff${csv}`, 'utf16le'), /is text in UTF-16, as a spreadsheet saves/],
    ['a workbook', () => Buffer.from('504b030414000000', 'hex'), /is a workbook/],
    ['Parquet', () => 'PAR1....', /is a Parquet file; use the file that/],
    ['gzip', () => Buffer.from('1f8b0800', 'hex'), /is compressed with gzip/],
  ])('%s', async (_, change, expected) => {
    await expect(readRows(change(booked.csv))).rejects.toThrow(expected);
  });

  test('a name loses its zeros, and every cell has a valid form: the root differs, and the re-saving is named', async () => {
    const { rows, resaved } = await readRows(changed('topic', () => '7')(booked.csv));
    expect(resaved).toContain('quotes removed');
    expect((await verified(booked.statement, rows)).faults).toContainEqual(expect.stringMatching(/^proof\.merkleRoot/));
  });
});
