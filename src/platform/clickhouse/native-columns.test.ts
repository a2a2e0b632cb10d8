import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrayColumn, bytesOf, fixedColumn, lowCardinalityColumn, nativeBlock, strings } from './native-block.ts';
import { type NativeBlockReader, readNative } from './native-columns.ts';

interface Row {
  who: number;
  text: string;
  day: number;
  count: number;
  used: number;
  names: readonly string[];
  words: readonly number[];
}

const row: fc.Arbitrary<Row> = fc.record({
  who: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  text: fc.string({ maxLength: 200 }),
  day: fc.integer({ min: 0, max: 65_535 }),
  count: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  used: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  names: fc.array(fc.string({ maxLength: 9 }), { maxLength: 3 }),
  words: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 3 }),
});

function endsOf(lists: readonly (readonly unknown[])[]): Float64Array {
  let end = 0;
  return Float64Array.from(lists, ({ length }) => {
    end += length;
    return end;
  });
}

/** `texts` of them are in the dictionary before the rows' own: more than 256 make its keys wider. */
function blockOf(rows: readonly Row[], texts: number): Buffer {
  const dictionary = [...Array.from({ length: texts }, (_, at) => `unused ${at}`), ...rows.map(({ text }) => text)];
  const words = rows.flatMap((each) => each.words);
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
      arrayColumn('names', 'String', endsOf(rows.map(({ names }) => names)), [
        strings(rows.flatMap((each) => each.names)),
      ]),
      arrayColumn('words', 'UInt32', endsOf(rows.map((each) => each.words)), [bytesOf(Uint32Array.from(words))]),
      arrayColumn('doubles', 'Float64', endsOf(rows.map((each) => each.words)), [bytesOf(Float64Array.from(words))]),
    ]),
  );
}

/** Lone surrogates are no UTF-8. */
const asRead = (text: string) => Buffer.from(text).toString();

function rowsOf(block: NativeBlockReader): Row[] {
  const who = block.fixedString(2);
  const { texts, keys } = block.fewTexts();
  const [day, count, used] = [block.uint16(), block.uint32(), block.float64()];
  const [names, words, doubles] = [block.arraysOfTexts(), block.arraysOfUint32(), block.arraysOfFloat64()];
  expect([...doubles.elements]).toEqual([...words.elements]);
  return Array.from({ length: block.rows }, (_, at) => {
    expect(who[at * 2 + 1]).toBe(~who[at * 2] >>> 0);
    return {
      who: who[at * 2],
      text: texts[keys[at]],
      day: day[at],
      count: count[at],
      used: used[at],
      names: names.elements.slice(names.ends[at - 1] ?? 0, names.ends[at]),
      words: [...words.elements.slice(words.ends[at - 1] ?? 0, words.ends[at])],
    };
  });
}

test('blocks come back as they were encoded, wherever they begin', () => {
  const blocks = fc.array(fc.tuple(fc.array(row, { minLength: 1 }), fc.constantFrom(0, 250, 300)));
  fc.assert(
    fc.property(blocks, fc.integer({ min: 0, max: 7 }), (list, start) => {
      const octets = Buffer.concat([Buffer.alloc(start), ...list.map(([rows, texts]) => blockOf(rows, texts))]);
      const read = [...readNative(octets.subarray(start), rowsOf)];
      expect(read).toEqual(
        list.map(([rows]) => rows.map((each) => ({ ...each, text: asRead(each.text), names: each.names.map(asRead) }))),
      );
    }),
  );
});

describe('refused', () => {
  const block = blockOf([{ who: 1, text: 'a', day: 2, count: 3, used: 4, names: ['b'], words: [5] }], 0);

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

  test('columns that are not read', () => {
    expect(() => [...readNative(block, (it) => it.fixedString(2))]).toThrow('1 of 8 columns were read');
  });

  test('a dictionary of another version', () => {
    const other = Buffer.from(block);
    other[other.indexOf('LowCardinality(String)') + 'LowCardinality(String)'.length] = 2;
    expect(() => [...readNative(other, rowsOf)]).toThrow('a dictionary of another kind');
  });
});
