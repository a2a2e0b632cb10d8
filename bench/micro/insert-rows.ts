import { Random } from '../../src/generator/random.ts';
import {
  fixedColumn,
  int64Column,
  lowCardinalityColumn,
  nativeBlock,
  structureOf,
} from '../../src/platform/clickhouse/native-block.ts';

const PLANS = Array.from({ length: 50 }, (_, plan) => `plan-${plan}`);
const ROW_BINARY_OCTETS = 40;

/** The kinds of columns that a charge has, as a rated batch holds them. */
export interface ChargeColumns {
  rows: number;
  offset: Float64Array;
  sponsoredOctets: Float64Array;
  chargeMicros: Float64Array;
  plan: Uint32Array;
  periodStart: Uint16Array;
}

export const TABLE_COLUMNS =
  'offset Int64, sponsored_octets UInt64, charge_micros Int64, plan_id LowCardinality(String), period_start Date';
/** For formats that know no dictionaries. */
export const TEXT_STRUCTURE =
  'offset Int64, sponsored_octets UInt64, charge_micros Int64, plan_id String, period_start UInt16';

export function chargeColumns(rows: number, seed: number): ChargeColumns {
  const random = new Random(seed);
  return {
    rows,
    offset: Float64Array.from({ length: rows }, (_, row) => row),
    sponsoredOctets: Float64Array.from({ length: rows }, () => random.integer(0, 2 ** 31)),
    chargeMicros: Float64Array.from({ length: rows }, () => random.integer(0, 1e6)),
    plan: Uint32Array.from({ length: rows }, () => random.integer(0, PLANS.length - 1)),
    periodStart: Uint16Array.from({ length: rows }, () => random.integer(20_727, 20_757)),
  };
}

export function native({ rows, offset, sponsoredOctets, chargeMicros, plan, periodStart }: ChargeColumns) {
  const columns = [
    int64Column('offset', 'Int64', offset),
    int64Column('sponsored_octets', 'UInt64', sponsoredOctets),
    int64Column('charge_micros', 'Int64', chargeMicros),
    lowCardinalityColumn('plan_id', PLANS, plan),
    fixedColumn('period_start', 'UInt16', periodStart),
  ];
  return { structure: structureOf(columns), block: nativeBlock(rows, columns) };
}

export function rowBinary({ rows, offset, sponsoredOctets, chargeMicros, plan, periodStart }: ChargeColumns): Buffer {
  const out = Buffer.allocUnsafe(rows * ROW_BINARY_OCTETS);
  let at = 0;
  const int64 = (value: number) => {
    at = out.writeUInt32LE(value % 2 ** 32, at);
    at = out.writeUInt32LE(Math.floor(value / 2 ** 32), at);
  };
  for (let row = 0; row < rows; row++) {
    int64(offset[row]);
    int64(sponsoredOctets[row]);
    int64(chargeMicros[row]);
    const id = PLANS[plan[row]];
    at = out.writeUInt8(id.length, at);
    at += out.write(id, at, 'latin1');
    at = out.writeUInt16LE(periodStart[row], at);
  }
  return out.subarray(0, at);
}

export function tsv({ rows, offset, sponsoredOctets, chargeMicros, plan, periodStart }: ChargeColumns): string {
  let text = '';
  for (let row = 0; row < rows; row++) {
    text += `${offset[row]}\t${sponsoredOctets[row]}\t${chargeMicros[row]}\t${PLANS[plan[row]]}\t${periodStart[row]}\n`;
  }
  return text;
}

export function jsonEachRow({ rows, offset, sponsoredOctets, chargeMicros, plan, periodStart }: ChargeColumns): string {
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    const line = {
      offset: offset[row],
      sponsored_octets: sponsoredOctets[row],
      charge_micros: chargeMicros[row],
      plan_id: PLANS[plan[row]],
      period_start: periodStart[row],
    };
    lines.push(JSON.stringify(line));
  }
  return lines.join('\n');
}
