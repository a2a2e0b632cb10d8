import { createReadStream } from 'node:fs';
import { csvCells } from '../billing/decode-csv.ts';
import { ConfigError } from '../platform/config-error.ts';
import { type ExportedRow, ROW_FIELDS, type RowField } from './exported-row.ts';

const LINE_FEED = 0x0a;
const WHOLE_NUMBER = /^(0|-?[1-9]\d*)$/;
const NUMBER_FIELDS = [
  'partition',
  'offset',
  'correction_number',
  'plan_version',
  'sponsored_octets',
  'subscriber_octets',
  'charge_micros',
  'used_octets_after',
] as const satisfies readonly RowField[];

export interface FileRow {
  row: ExportedRow;
  /** 1-based; the header is line 1. */
  line: number;
}

/**
 * The rows of an export, one at a time. Rejects with a ConfigError that names file and line for what is no row, and for a
 * file that ends within a line.
 */
export async function* readRowsFile(path: string): AsyncGenerator<FileRow> {
  let line = 0;
  for await (const octets of linesOf(path)) {
    line++;
    const cells = csvCells(octets);
    const fault = typeof cells === 'string' ? cells : line === 1 ? headerFault(cells) : rowFault(cells);
    if (typeof cells === 'string' || fault !== null) throw new ConfigError(`${path}:${line}: ${fault}`);
    if (line > 1) yield { row: rowOf(cells), line };
  }
  if (line === 0)
    throw new ConfigError(`${path}:1: the file is empty; \`zerorate statement --rows FILE.csv\` writes one`);
}

async function* linesOf(path: string): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  let lines = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const text: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = text.indexOf(LINE_FEED); end !== -1; end = text.indexOf(LINE_FEED, start)) {
        yield text.subarray(start, end);
        lines++;
        start = end + 1;
      }
      rest = text.subarray(start);
    }
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new ConfigError(`${path}: cannot be read: ${error.message}`);
  }
  if (rest.length > 0) throw new ConfigError(`${path}:${lines + 1}: the file ends within a line: it was cut off`);
}

function headerFault(cells: readonly string[]): string | null {
  if (cells.join() === ROW_FIELDS.join()) return null;
  return `not the header of exported rows, which is ${ROW_FIELDS.join()}`;
}

function rowFault(cells: readonly string[]): string | null {
  if (cells.length !== ROW_FIELDS.length) return `${cells.length} cells, but ${ROW_FIELDS.length} columns`;
  const wrong = NUMBER_FIELDS.find((name) => !WHOLE_NUMBER.test(cells[ROW_FIELDS.indexOf(name)]));
  return wrong === undefined
    ? null
    : `${wrong}: expected a whole number, got ${JSON.stringify(cells[ROW_FIELDS.indexOf(wrong)])}`;
}

function rowOf(cells: readonly string[]): ExportedRow {
  return Object.fromEntries(ROW_FIELDS.map((name, at) => [name, cells[at]])) as ExportedRow;
}
