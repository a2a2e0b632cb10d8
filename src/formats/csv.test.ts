import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvCell, csvText, parseCsv } from './csv.ts';

describe('csvText', () => {
  test('quotes what has a comma, a quote or a line end', () => {
    expect(csvText([['a,b', 'say "no"', 'two\nlines', 'x\ry', '']])).toBe('"a,b","say ""no""","two\nlines","x\ry",\n');
  });

  test.each([
    ['=1+1', "'=1+1"],
    ['+cmd|x', "'+cmd|x"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['-2+3', "'-2+3"],
    ['\t=1', "'\t=1"],
    ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
  ])('%j reaches a spreadsheet as a text', (text, cell) => {
    expect(csvText([[text]])).toBe(`${cell}\n`);
  });

  test('numbers are written as they are, negative ones too', () => {
    expect(csvText([[-1, -2n, '-3.25', '+4', '0']])).toBe('-1,-2,-3.25,+4,0\n');
  });
});

test('what is written is read back', () => {
  const text = fc.string().map((text) => text.replaceAll('\r', ''));
  const rows = fc.array(fc.array(text, { minLength: 2, maxLength: 4 }), { minLength: 1 });
  fc.assert(
    fc.property(rows, (rows) => {
      const written = rows.map((cells) => cells.map(csvCell).join(',')).join('\n');
      const read = parseCsv(written);
      if (written.startsWith('\ufeff')) return;
      expect(typeof read === 'string' ? read : read.map(({ cells }) => cells)).toEqual(rows);
    }),
  );
});

describe('parseCsv', () => {
  test('takes a byte order mark, either line end and quotes, leaves empty lines out, and keeps line numbers', () => {
    expect(parseCsv('\ufeffa,b\r\n\r\n1,"x,y"\n2,""\n')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 3, cells: ['1', 'x,y'] },
      { line: 4, cells: ['2', ''] },
    ]);
    expect(parseCsv('')).toEqual([]);
  });

  test.each([
    ['a,b\n1,"x\n', '2: a quote that is opened is not closed'],
    ['a,b\nx"y,2\n', '2: a quote within a cell that has none at its start'],
    ['a,b\n"x"y,2\n', '2: a quote within a quoted cell is not doubled'],
  ])('%j: says what is wrong, by line, without the cell', (text, fault) => {
    expect(parseCsv(text)).toBe(fault);
  });
});
