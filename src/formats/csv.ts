import { CsvError, parse } from 'csv-parse/sync';

type Cell = string | number | bigint;

/** What a spreadsheet takes for a formula; a number with its sign is none. */
const FORMULA = /^[=+\-@\t\r](?!\d+(\.\d+)?$)/;

/**
 * Returns rows as CSV text (RFC 4180), with a line feed at the end of each line. A text that a spreadsheet would run as a formula
 * gets an apostrophe before it.
 */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  return `${rows.map((cells) => cells.map(guardedCell).join(',')).join('\n')}\n`;
}

/** Returns a text as a cell that is read back as it was: with quotes around it where it needs them. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function guardedCell(value: Cell): string {
  if (typeof value !== 'string') return String(value);
  return csvCell(FORMULA.test(value) ? `'${value}` : value);
}

/** One row of a CSV file. */
export interface CsvRow {
  /** 1-based; of a row of several lines, its last. */
  line: number;
  cells: readonly string[];
}

const LINE_ENDS = ['\r\n', '\n'];

/** Why a file is no CSV, by the library's codes. */
const FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote that is opened is not closed',
  INVALID_OPENING_QUOTE: 'a quote within a cell that has none at its start',
  CSV_INVALID_CLOSING_QUOTE: 'a quote within a quoted cell is not doubled',
};

/**
 * Reads a small file that a person or a spreadsheet wrote: commas, quotes, either line end, a byte order mark. Empty lines are left
 * out. Returns `line: fault` for a file that is no CSV.
 */
export function parseCsv(text: string): CsvRow[] | string {
  try {
    const rows = parse(text, {
      bom: true,
      info: true,
      recordDelimiter: LINE_ENDS,
      relaxColumnCount: true,
      skipEmptyLines: true,
    });
    return (rows as unknown as { info: { lines: number }; record: string[] }[]).map(({ info, record }) => ({
      line: info.lines,
      cells: record,
    }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return `${error.lines ?? 1}: ${FAULTS[error.code] ?? `this is no CSV (${error.code})`}`;
  }
}
