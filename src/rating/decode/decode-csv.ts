import { plainDatum } from '../admission-kernel.ts';
import type { Candidate, Decoded, Decoder, FlowRecord } from '../flow-record.ts';
import { CSV_CELLS } from '../kernel/regions.ts';
import { DATUM_FIELDS } from './flow-layout.ts';
import { utf8Text } from './utf8.ts';

const WHOLE_NUMBER_FIELDS: ReadonlySet<string> = new Set<keyof FlowRecord>([
  'localSequenceNumber',
  'chargingId',
  'recordSequenceNumber',
  'startTime',
  'endTime',
  'terminalPort',
  'remotePort',
  'protocol',
  'ratingGroup',
  'serviceIdentifier',
  'uplinkOctets',
  'downlinkOctets',
  'ratType',
]);
const WHOLE_NUMBER = /^-?\d+$/;

interface Column {
  name: string;
  whole: boolean;
}

/** One cell and what ends it: quoted, with quotes inside doubled, or plain, without any quote. */
const CELL = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r]*))(,|$)/y;

/**
 * The cells of one line (RFC 4180, comma, UTF-8, no line break inside quotes); a text says why there are none. Written
 * here because a general parser is set up for whole files: it took 80 microseconds for a line.
 */
export function csvCells(line: Uint8Array): string[] | string {
  const text = utf8Text(line);
  if (text === null) return 'not UTF-8';
  if (!text.includes('"')) return text.includes('\r') ? 'a carriage return within the line' : text.split(',');
  const cells: string[] = [];
  CELL.lastIndex = 0;
  for (;;) {
    const cell = CELL.exec(text);
    if (cell === null) return `a quote out of place in cell ${cells.length + 1}`;
    cells.push(cell[1]?.replaceAll('""', '"') ?? cell[2] ?? '');
    if (cell[3] === '') return cells;
  }
}

/**
 * Decodes one line of a CSV file whose header line has these cells. An empty cell is null. A whole-number field that is
 * not written as one stays text, for the validation to name.
 */
export function csvDecoder(header: readonly string[]): Decoder {
  const columns = header.map((name): Column => ({ name, whole: WHOLE_NUMBER_FIELDS.has(name) }));
  const decode = (value: Uint8Array): Decoded => {
    const cells = csvCells(value);
    if (typeof cells === 'string') return malformed(cells);
    if (cells.length !== columns.length) return malformed(`${cells.length} cells, but ${columns.length} columns`);
    const candidate: Candidate = {};
    // An index and no iterator: this runs 19 times for each record.
    for (let index = 0; index < columns.length; index += 1) {
      const { name, whole } = columns[index] as Column;
      const cell = cells[index] as string;
      candidate[name] = cell === '' ? null : whole && WHOLE_NUMBER.test(cell) ? Number(cell) : cell;
    }
    return { candidate };
  };
  return Object.assign(decode, csvLayout(header));
}

/** None where a column is no field of a flow record, or one has two: no line is in plain layout then. */
function csvLayout(header: readonly string[]): Pick<Decoder, 'plainDatum' | 'columns'> {
  const numbers = header.map((name) => DATUM_FIELDS.findIndex((field) => field.name === name));
  if (numbers.includes(-1) || new Set(numbers).size < numbers.length) return {};
  return { columns: numbers, plainDatum: (_, start) => plainDatum(start, CSV_CELLS) };
}

function malformed(detail: string): Decoded {
  return { fault: { reason: 'malformed', detail } };
}
