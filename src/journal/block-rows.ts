import { fixedColumn, int64Column, lowCardinalityColumn, type NativeColumn } from '../platform/native-block.ts';

/**
 * Builds a block's columns from the batch's rows that the journal keeps one by one. The block has one row more, the batch
 * row, in which these columns hold their default.
 */
export class BlockRows {
  readonly rows: Uint32Array;
  readonly height: number;

  constructor(rows: Uint32Array) {
    this.rows = rows;
    this.height = rows.length + 1;
  }

  uint8(name: string, type: 'Int8', of: (row: number) => number): NativeColumn {
    return fixedColumn(name, type, this.#gather(new Uint8Array(this.height), of));
  }

  uint16(name: string, of: (row: number) => number): NativeColumn {
    return fixedColumn(name, 'UInt16', this.#gather(new Uint16Array(this.height), of));
  }

  uint32(name: string, of: (row: number) => number): NativeColumn {
    return fixedColumn(name, 'UInt32', this.#gather(new Uint32Array(this.height), of));
  }

  int64(name: string, type: string, values: Float64Array): NativeColumn {
    return int64Column(
      name,
      type,
      this.#gather(new Float64Array(this.height), (row) => values[row]),
    );
  }

  /**
   * A small integer for each row (below 0: the empty text), and the text that it stands for. The dictionary has each text
   * once, in the order of first appearance, so that it follows from the rows alone.
   */
  texts(name: string, keyOf: (row: number) => number, textOf: (key: number) => string): NativeColumn {
    const dictionary: string[] = [];
    const placeOfText = new Map<string, number>();
    const placeOfKey = new Map<number, number>();
    const placeOf = (key: number) => {
      let place = placeOfKey.get(key);
      if (place === undefined) {
        const text = key < 0 ? '' : textOf(key);
        // Two keys may have one text: the versions of a plan.
        place = placeOfText.get(text) ?? dictionary.push(text) - 1;
        placeOfText.set(text, place);
        placeOfKey.set(key, place);
      }
      return place;
    };
    const keys = this.#gather(new Uint32Array(this.height), (row) => placeOf(keyOf(row)));
    keys[this.height - 1] = placeOf(-1);
    return lowCardinalityColumn(name, dictionary, keys);
  }

  #gather<T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(out: T, of: (row: number) => number): T {
    const { rows } = this;
    for (let at = 0; at < rows.length; at++) out[at] = of(rows[at]);
    return out;
  }
}
