import {
  fixedColumn,
  int64Column,
  lowCardinalityColumn,
  type NativeColumn,
  stringColumn,
} from '../../platform/clickhouse/native-block.ts';
import { PSEUDONYM_OCTETS } from '../../rating/subscribers.ts';
import { KINDS, TIME } from '../journal-block.ts';
import type { RowBinaryReader } from '../row-binary.ts';

/** A column of a batch's rows as the journal stores it, in the order of the block that booked it. */
type StoredColumn =
  | { name: string; kind: 'int8' | 'uint16' | 'uint32'; sql?: string }
  | { name: string; kind: 'int64'; type: string; sql?: string }
  | { name: string; kind: 'few' | 'text' | 'subscriber' };

const time = (name: string): StoredColumn => ({
  name,
  kind: 'int64',
  type: TIME,
  sql: `toUnixTimestamp64Milli(${name})`,
});
const octets = (name: string): StoredColumn => ({ name, kind: 'int64', type: 'UInt64' });

const COLUMNS: readonly StoredColumn[] = [
  { name: 'kind', kind: 'int8', sql: 'toInt8(kind)' },
  { name: 'offset', kind: 'int64', type: 'Int64' },
  { name: 'subscriber', kind: 'subscriber' },
  { name: 'content_type', kind: 'int8', sql: 'toInt8(content_type)' },
  time('start_time'),
  time('end_time'),
  { name: 'node_id', kind: 'few' },
  { name: 'local_sequence_number', kind: 'int64', type: 'Int64' },
  octets('uplink_octets'),
  octets('downlink_octets'),
  { name: 'reason', kind: 'few' },
  { name: 'sponsor_id', kind: 'few' },
  { name: 'application_id', kind: 'few' },
  { name: 'plan_id', kind: 'few' },
  { name: 'plan_version', kind: 'uint32' },
  { name: 'period_start', kind: 'uint16', sql: 'toUInt16(period_start)' },
  { name: 'evidence', kind: 'int8', sql: 'toInt8(evidence)' },
  octets('sponsored_octets'),
  { name: 'charge_micros', kind: 'int64', type: 'Int64' },
  { name: 'currency', kind: 'few' },
  octets('used_octets_after'),
  { name: 'carry_after', kind: 'uint16' },
  { name: 'detail', kind: 'text' },
  { name: 'payload', kind: 'text' },
];

type Cell = number | string | Uint8Array;

/** A charge or rejection row: cells by their column's name. */
export type StoredRow = Readonly<Record<string, Cell>>;

/** The expressions that read a row, in RowBinary. */
export const STORED_EXPRESSIONS = COLUMNS.map((column) => ('sql' in column && column.sql) || column.name);

export function readStoredRow(reader: RowBinaryReader): StoredRow {
  return Object.fromEntries(COLUMNS.map((column) => [column.name, readCell(reader, column)]));
}

/** Returns a batch's rows, encoded as when it was booked. */
export function storedColumns(rows: readonly StoredRow[], lastOffset: number): NativeColumn[] {
  return COLUMNS.map((column) => encode(column, rows, lastOffset));
}

function readCell(reader: RowBinaryReader, { kind }: StoredColumn): Cell {
  switch (kind) {
    case 'int8':
      return reader.octets(1)[0];
    case 'uint16':
      return reader.uint16();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.uint64();
    case 'subscriber':
      return reader.octets(PSEUDONYM_OCTETS);
    default:
      return reader.text();
  }
}

/** The batch row at the end has each column's default, but for its kind and its offset. */
function encode(column: StoredColumn, rows: readonly StoredRow[], lastOffset: number): NativeColumn {
  const { name } = column;
  const last = name === 'kind' ? KINDS.batch : name === 'offset' ? lastOffset : 0;
  const numbers = () => [...rows.map((row) => row[name] as number), last];
  const texts = () => [...rows.map((row) => row[name] as string), ''];
  switch (column.kind) {
    case 'int8':
      return fixedColumn(name, 'Int8', Uint8Array.from(numbers()));
    case 'uint16':
      return fixedColumn(name, 'UInt16', Uint16Array.from(numbers()));
    case 'uint32':
      return fixedColumn(name, 'UInt32', Uint32Array.from(numbers()));
    case 'int64':
      return int64Column(name, column.type, Float64Array.from(numbers()));
    case 'subscriber':
      return fixedColumn(
        name,
        `FixedString(${PSEUDONYM_OCTETS})`,
        Buffer.concat([...rows.map((row) => row[name] as Uint8Array), Buffer.alloc(PSEUDONYM_OCTETS)]),
      );
    case 'few':
      return fewTexts(name, texts());
    case 'text':
      return stringColumn(name, texts());
  }
}

/** Returns a column whose dictionary has each text once, in the order of first appearance. */
function fewTexts(name: string, texts: readonly string[]): NativeColumn {
  const places = new Map<string, number>();
  for (const text of texts) if (!places.has(text)) places.set(text, places.size);
  const keys = Uint32Array.from(texts, (text) => places.get(text) ?? 0);
  return lowCardinalityColumn(name, [...places.keys()], keys);
}
