import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fixedColumn, lowCardinalityColumn, nativeBlock } from './native-block.ts';
import { type NativeBlockReader, readNative } from './native-columns.ts';

interface Row {
  who: number;
  text: string;
  day: number;
  count: number;
  used: number;
}

const row: fc.Arbitrary<Row> = fc.record({
  who: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  text: fc.string({ maxLength: 200 }),
  day: fc.integer({ min: 0, max: 65_535 }),
  count: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  used: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});

/** `texts` of them stand in the dictionary before the rows' own: more than 256 make its keys wider. */
function blockOf(rows: readonly Row[], texts: number): Buffer {
  const dictionary = [...Array.from({ length: texts }, (_, at) => `unused ${at}`), ...rows.map(({ text }) => text)];
  return Buffer.concat(
    nativeBlock(rows.length, [
      fixedColumn('who', 'FixedString(8)', Uint32Array.from(rows.flatMap(({ who }) => [who, ~who]))),
      lowCardinalityColumn(
        'text',
        dictionary,
        Uint32Array.from(rows, (_, at) => texts + at),
      ),
      fixedColumn(
        'day',
        'UInt16',
        Uint16Array.from(rows, ({ day }) => day),
      ),
      fixedColumn(
        'count',
        'UInt32',
        Uint32Array.from(rows, ({ count }) => count),
      ),
      fixedColumn(
        'used',
        'Float64',
        Float64Array.from(rows, ({ used }) => used),
      ),
    ]),
  );
}

function rowsOf(block: NativeBlockReader): Row[] {
  const who = block.fixedString(2);
  const { texts, keys } = block.fewTexts();
  const [day, count, used] = [block.uint16(), block.uint32(), block.float64()];
  return Array.from({ length: block.rows }, (_, at) => {
    expect(who[at * 2 + 1]).toBe(~who[at * 2] >>> 0);
    return { who: who[at * 2], text: texts[keys[at]], day: day[at], count: count[at], used: used[at] };
  });
}

test('blocks come back as they were encoded, wherever they begin', () => {
  const blocks = fc.array(fc.tuple(fc.array(row, { minLength: 1 }), fc.constantFrom(0, 250, 300)));
  fc.assert(
    fc.property(blocks, fc.integer({ min: 0, max: 7 }), (list, start) => {
      const octets = Buffer.concat([Buffer.alloc(start), ...list.map(([rows, texts]) => blockOf(rows, texts))]);
      const read = [...readNative(octets.subarray(start), rowsOf)];
      expect(read).toEqual(
        list.map(([rows]) => rows.map((each) => ({ ...each, text: Buffer.from(each.text).toString() }))),
      );
    }),
  );
});

describe('refused', () => {
  const block = blockOf([{ who: 1, text: 'a', day: 2, count: 3, used: 4 }], 0);

  test('a torn result', () => {
    for (let end = 1; end < block.length; end++) {
      expect(() => [...readNative(block.subarray(0, end), rowsOf)]).toThrow(RangeError);
    }
  });

  test('a column of another type', () => {
    expect(() => [...readNative(block, (it) => it.float64())]).toThrow(
      'column who is of type FixedString(8), not Float64',
    );
  });

  test('columns that nobody reads', () => {
    expect(() => [...readNative(block, (it) => it.fixedString(2))]).toThrow('1 of 5 columns were read');
  });

  test('a dictionary of another version', () => {
    const other = Buffer.from(block);
    other[other.indexOf('LowCardinality(String)') + 'LowCardinality(String)'.length] = 2;
    expect(() => [...readNative(other, rowsOf)]).toThrow('a dictionary of another kind');
  });
});
