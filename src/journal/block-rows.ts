import { bytesOf, fixedColumn, lowCardinalityColumn, type NativeColumn } from '../platform/clickhouse/native-block.ts';
import type { BlockMemory } from './block-memory.ts';

/** Codes of a few texts; those below 0 are the empty text. */
type Codes = Int32Array | Uint8Array;

/**
 * Builds a block's columns from the batch's rows that the journal keeps one by one. The block has one row more, the batch
 * row, in which these columns hold their default.
 */
export class BlockRows {
  readonly rows: Uint32Array;
  readonly height: number;
  readonly memory: BlockMemory;

  constructor(rows: Uint32Array, memory: BlockMemory) {
    this.rows = rows;
    this.height = rows.length + 1;
    this.memory = memory;
  }

  uint8(name: string, type: 'Int8', values: Uint8Array): NativeColumn {
    return fixedColumn(name, type, this.#gather(this.memory.octets(this.height), values));
  }

  uint16(name: string, values: Uint16Array): NativeColumn {
    return fixedColumn(name, 'UInt16', this.#gather(this.memory.uint16(this.height), values));
  }

  /** `of` each code; 0 for codes below 0. */
  uint32(name: string, codes: Codes, of: (code: number) => number): NativeColumn {
    const { rows } = this;
    const out = this.memory.uint32(this.height);
    for (let at = 0; at < rows.length; at++) {
      const code = codes[rows[at]];
      out[at] = code < 0 ? 0 : of(code);
    }
    out[rows.length] = 0;
    return fixedColumn(name, 'UInt32', out);
  }

  /** Integers of at most 53 bits; `last` is what the batch row holds. */
  int64(name: string, type: string, values: Float64Array, last = 0): NativeColumn {
    const { rows, height } = this;
    const words = this.memory.uint32(height * 2);
    for (let at = 0; at < rows.length; at++) {
      const value = values[rows[at]];
      words[at * 2] = value;
      words[at * 2 + 1] = Math.floor(value / 2 ** 32);
    }
    words[height * 2 - 2] = last;
    words[height * 2 - 1] = Math.floor(last / 2 ** 32);
    return { name, type, bytes: bytesOf(words) };
  }

  /**
   * The text of each row's code. The dictionary has each text once, in the order of first appearance, so that it follows
   * from the rows alone. `codeCount` is above all codes.
   */
  texts(name: string, codes: Codes, codeCount: number, textOf: (code: number) => string): NativeColumn {
    const { rows, height } = this;
    const dictionary: string[] = [];
    // Two codes may have one text: the versions of a plan.
    const placeOfText = new Map<string, number>();
    const placeOf = (text: string) => {
      const place = placeOfText.get(text) ?? dictionary.push(text) - 1;
      placeOfText.set(text, place);
      return place;
    };
    // Code + 1 to place + 1; 0 is unknown yet.
    const places = new Uint32Array(codeCount + 1);
    const keys = this.memory.uint32(height);
    for (let at = 0; at < rows.length; at++) {
      const code = Math.max(-1, codes[rows[at]]);
      if (places[code + 1] === 0) places[code + 1] = placeOf(code < 0 ? '' : textOf(code)) + 1;
      keys[at] = places[code + 1] - 1;
    }
    keys[rows.length] = placeOf('');
    return lowCardinalityColumn(name, dictionary, keys);
  }

  #gather<T extends Uint16Array | Uint8Array>(out: T, values: T): T {
    const { rows } = this;
    for (let at = 0; at < rows.length; at++) out[at] = values[rows[at]];
    out[rows.length] = 0;
    return out;
  }
}
