import { TIME } from '../../journal/journal-block.ts';
import { fixedColumn, lowCardinalityColumn, type NativeColumn } from '../../platform/clickhouse/native-block.ts';
import { Names } from '../../rating/names.ts';
import type { CurrentCharges } from './current-charges.ts';
import { growingInt64, growingUint16, growingUint32, pushInt64 } from './growing-column.ts';

/**
 * Fields of records that the journal has no charge row of, for the rows that charge them first: no other row has them, so they are
 * kept by themselves.
 */
export class FirstCharges {
  readonly #at = growingUint32();
  readonly #bookingDays = growingUint16();
  readonly #endTimes = growingInt64();
  readonly #sequences = growingInt64();
  readonly #uplink = growingInt64();
  readonly #downlink = growingInt64();
  readonly #laneKeys = growingUint32();
  readonly #nodeKeys = growingUint32();
  // The empty text is the first of each, for all other rows.
  readonly #lanes = new Names();
  readonly #nodes = new Names();

  constructor() {
    for (const names of [this.#lanes, this.#nodes]) names.numberOf('');
  }

  add(at: number, { read, records }: CurrentCharges, row: number): void {
    if (read === null) throw new Error('a record that was not read has no charge of its own');
    this.#at.push(at);
    this.#bookingDays.push(read.bookingDay);
    pushInt64(this.#endTimes, records.endTimeMs[row]);
    pushInt64(this.#sequences, records.localSequenceNumber[row]);
    pushInt64(this.#uplink, records.uplinkOctets[row]);
    pushInt64(this.#downlink, records.downlinkOctets[row]);
    this.#laneKeys.push(this.#lanes.numberOf(read.lane));
    this.#nodeKeys.push(this.#nodes.numberOf(read.nodes.list[records.node[row]]));
  }

  /** Returns the columns of a block of so many rows; none where no record was charged first. */
  columns(rows: number): NativeColumn[] {
    const at = this.#at.values();
    if (at.length === 0) return [];
    return [
      lowCardinalityColumn('lane', this.#lanes.list, scattered(new Uint32Array(rows), at, this.#laneKeys.values())),
      fixedColumn('record_booked_on', 'Date', scattered(new Uint16Array(rows), at, this.#bookingDays.values())),
      fixedColumn('end_time', TIME, scattered(new Uint32Array(rows * 2), at, this.#endTimes.values())),
      lowCardinalityColumn('node_id', this.#nodes.list, scattered(new Uint32Array(rows), at, this.#nodeKeys.values())),
      fixedColumn('local_sequence_number', 'Int64', scattered(new Uint32Array(rows * 2), at, this.#sequences.values())),
      fixedColumn('uplink_octets', 'UInt64', scattered(new Uint32Array(rows * 2), at, this.#uplink.values())),
      fixedColumn('downlink_octets', 'UInt64', scattered(new Uint32Array(rows * 2), at, this.#downlink.values())),
    ];
  }
}

/** Writes the values of some rows to their places; a row has as many values as `out` has room for. */
function scattered<T extends Uint16Array | Uint32Array>(out: T, at: Uint32Array, values: T): T {
  const perRow = at.length === 0 ? 1 : values.length / at.length;
  for (let place = 0; place < at.length; place++) {
    for (let value = 0; value < perRow; value++) out[at[place] * perRow + value] = values[place * perRow + value];
  }
  return out;
}
