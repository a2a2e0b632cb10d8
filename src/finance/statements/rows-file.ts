import { createReadStream } from 'node:fs';
import { ConfigError } from '../../platform/config/config-error.ts';
import { csvCells } from '../../rating/decode/decode-csv.ts';
import { type ExportedRow, ROW_FIELDS } from './exported-row.ts';
import { cellFault } from './row-cells.ts';

const CURRENCY = ROW_FIELDS.indexOf('currency');
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const EXPORT = 'use the file that `zerorate statement --rows FILE.csv` wrote';

/** First bytes of files in other formats. */
const OTHER_FORMATS: readonly { bytes: string; format: string }[] = [
  { bytes: 'fffe', format: 'text in UTF-16, as a spreadsheet saves "Unicode text"' },
  { bytes: 'feff', format: 'text in UTF-16, as a spreadsheet saves "Unicode text"' },
  { bytes: '504b0304', format: 'a workbook (XLSX, ODS) or another ZIP file' },
  { bytes: 'd0cf11e0', format: 'a workbook (XLS)' },
  { bytes: '50415231', format: 'a Parquet file' },
  { bytes: '1f8b', format: 'compressed with gzip' },
];

/** How a file differs from an export, although its rows can be read: another program saved it again. */
export type Resaved = 'byte order mark' | 'CRLF line ends' | 'quotes removed' | 'no line end at the end';

export interface FileRow {
  row: ExportedRow;
  /** 1-based; the header is line 1. */
  line: number;
}

/**
 * Yields the rows of an export. A byte order mark, CRLF line ends and other quotes leave the rows the same: they are
 * reported to `onResaved`, each once. Rejects with a ConfigError that names file and line for a line that is no row, and for
 * a file that ends within a line.
 */
export async function* readRowsFile(
  path: string,
  onResaved: (how: Resaved) => void = () => undefined,
): AsyncGenerator<FileRow> {
  const known = new Set<Resaved>();
  const note = (how: Resaved) => {
    if (!known.has(how)) onResaved(how);
    known.add(how);
  };
  let line = 0;
  for await (const { octets, isEnded } of linesOf(path)) {
    line++;
    const cells = csvCells(bareLine(octets, line, path, note));
    const fault = typeof cells === 'string' ? cells : line === 1 ? headerFault(cells) : rowFault(cells);
    if (typeof cells === 'string' || fault !== null) {
      throw new ConfigError(
        `${path}:${line}: ${isEnded ? fault : 'the file ends within a line: it was cut off; use the whole file'}`,
      );
    }
    if (!isEnded) note('no line end at the end');
    // An export quotes every text; other programs quote those only that need it, which a currency does not.
    if (line === 2 && !octets.includes(`"${cells[CURRENCY]}"`)) note('quotes removed');
    if (line > 1) yield { row: rowOf(cells), line };
  }
  if (line === 0) throw new ConfigError(`${path}:1: the file is empty; ${EXPORT}`);
}

/** Returns a line without what other programs add to it. */
function bareLine(octets: Buffer, line: number, path: string, note: (how: Resaved) => void): Buffer {
  let bare = octets;
  if (line === 1) {
    const start = bare.subarray(0, 4).toString('hex');
    const other = OTHER_FORMATS.find(({ bytes }) => start.startsWith(bytes));
    if (other !== undefined) throw new ConfigError(`${path}:1: is ${other.format}; ${EXPORT}`);
    if (bare.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
      note('byte order mark');
      bare = bare.subarray(3);
    }
  }
  if (bare.at(-1) === CARRIAGE_RETURN) {
    note('CRLF line ends');
    bare = bare.subarray(0, -1);
  }
  return bare;
}

async function* linesOf(path: string): AsyncGenerator<{ octets: Buffer; isEnded: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const text: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = text.indexOf(LINE_FEED); end !== -1; end = text.indexOf(LINE_FEED, start)) {
        yield { octets: text.subarray(start, end), isEnded: true };
        start = end + 1;
      }
      rest = text.subarray(start);
    }
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new ConfigError(`${path}: cannot be read: ${error.message}`);
  }
  if (rest.length > 0) yield { octets: rest, isEnded: false };
}

function headerFault(cells: readonly string[]): string | null {
  if (cells.join() === ROW_FIELDS.join()) return null;
  const delimiter = [';', '\t', '|'].find((other) => cells.join().replaceAll('"', '') === ROW_FIELDS.join(other));
  if (delimiter !== undefined) {
    const name = delimiter === ';' ? 'semicolons' : delimiter === '\t' ? 'tabs' : 'bars';
    return `re-saved by a spreadsheet: ${name} in place of commas; use the original file`;
  }
  return `not the header of exported rows, which is ${ROW_FIELDS.join()}`;
}

function rowFault(cells: readonly string[]): string | null {
  if (cells.length !== ROW_FIELDS.length) return `${cells.length} cells, but ${ROW_FIELDS.length} columns`;
  for (const [at, name] of ROW_FIELDS.entries()) {
    const fault = cellFault(name, cells[at]);
    if (fault !== null) return `${name}: ${fault}`;
  }
  return null;
}

function rowOf(cells: readonly string[]): ExportedRow {
  return Object.fromEntries(ROW_FIELDS.map((name, at) => [name, cells[at]])) as ExportedRow;
}
