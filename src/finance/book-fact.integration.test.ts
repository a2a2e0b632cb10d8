import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { fixedColumn, int64Column, stringColumn } from '../platform/clickhouse/native-block.ts';
import { type Store, StoreError } from '../platform/clickhouse/store.ts';
import { bookFact as book, type NumberedFact } from './book-fact.ts';

const DOWN = new StoreError('store_unreachable', 'down', { canRetry: true });
let opened: OpenedStore;

/** Returns a fact of one row, identified by its name. */
function fact(number: number, correction: string, guard?: string): NumberedFact {
  const columns = [
    int64Column('number', 'UInt64', Float64Array.of(number)),
    fixedColumn('kind', 'Int8', Int8Array.of(1)),
    stringColumn('correction', [correction]),
  ];
  const isOurs = async () => (await bookedRows()).some((row) => row.number === number && row.correction === correction);
  return { table: 'corrections', number, columns, isOurs, ...(guard !== undefined && { guard }) };
}

function bookedRows(): Promise<{ number: number; correction: string }[]> {
  return opened.store.query('SELECT number, correction FROM corrections ORDER BY number, correction');
}

/** Books without waiting between attempts. */
function bookFact(store: Store, of: NumberedFact): Promise<'booked' | 'fenced'> {
  let nowMs = 0;
  const sleep = async (ms: number) => {
    nowMs += ms;
  };
  return book(store, of, { firstDelayMs: 1, maxDelayMs: 4, giveUpAfterMs: 100 }, { monotonicMs: () => nowMs, sleep });
}

/** Returns the store with a wrapper around its inserts. */
function around(
  insertBlock: (insert: Store['insertBlock'], ...args: Parameters<Store['insertBlock']>) => Promise<void>,
): Store {
  const { store } = opened;
  return { ...store, insertBlock: (...args) => insertBlock(store.insertBlock, ...args) };
}

describe.each(['embedded', 'http'] as const)('with a store of access %s', (access) => {
  beforeAll(async () => {
    opened = await OPEN_STORE[access]();
  });
  afterAll(() => opened?.close());
  beforeEach(() => opened.store.command('TRUNCATE TABLE corrections'));

  test('facts are booked one after another, and a writer that is behind is fenced', async () => {
    expect(await bookFact(opened.store, fact(1, 'a'))).toBe('booked');
    expect(await bookFact(opened.store, fact(2, 'b'))).toBe('booked');
    expect(await bookFact(opened.store, fact(2, 'c'))).toBe('fenced');
    expect(await bookFact(opened.store, fact(4, 'd'))).toBe('fenced');
    expect(await bookedRows()).toEqual([
      { number: 1, correction: 'a' },
      { number: 2, correction: 'b' },
    ]);
  });

  test('a fact that the guard forbids is not booked', async () => {
    expect(await bookFact(opened.store, fact(1, 'a', '1 = 1'))).toBe('fenced');
    expect(await bookFact(opened.store, fact(1, 'a', '1 = 2'))).toBe('booked');
  });

  test('a lost answer, or an insert that never arrives, still books once', async () => {
    const losesAnswer = around(async (insert, ...args) => {
      await insert(...args);
      throw DOWN;
    });
    expect(await bookFact(losesAnswer, fact(1, 'a'))).toBe('booked');
    let lost = 3;
    const arrivesLate = around(async (insert, ...args) => {
      if (lost-- > 0) throw DOWN;
      await insert(...args);
    });
    expect(await bookFact(arrivesLate, fact(2, 'b'))).toBe('booked');
    expect(await bookedRows()).toEqual([
      { number: 1, correction: 'a' },
      { number: 2, correction: 'b' },
    ]);
  });

  test('two writers pass the guard: one lands, and the other is fenced', async () => {
    const pastTheGuard = around((insert, statement, ...args) =>
      insert(
        (source) => {
          const unguarded = statement(source).replace(/ WHERE throwIf\(.*\) = 0 ORDER BY ALL/s, '');
          expect(unguarded).not.toBe(statement(source));
          return unguarded;
        },
        ...args,
      ),
    );
    expect(await bookFact(pastTheGuard, fact(1, 'a'))).toBe('booked');
    expect(await bookFact(pastTheGuard, fact(1, 'b'))).toBe('fenced');
    expect(await bookedRows()).toEqual([{ number: 1, correction: 'a' }]);
  });

  test('eight writers race for one number: one books, the others are fenced and take the next', async () => {
    const race = (number: number, names: readonly string[]) =>
      Promise.all(names.map((name) => bookFact(opened.store, fact(number, name))));
    let names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (let number = 1; names.length > 0; number++) {
      const results = await race(number, names);
      expect(results.filter((result) => result === 'booked')).toHaveLength(1);
      const winner = names[results.indexOf('booked')];
      expect((await bookedRows()).slice(number - 1)).toEqual([{ number, correction: winner }]);
      names = names.filter((name) => name !== winner);
    }
  });

  test('a fact whose insert was lost, and whose token was not, is booked again', async () => {
    await bookFact(opened.store, fact(1, 'a'));
    await opened.store.command('ALTER TABLE corrections DELETE WHERE number = 1 SETTINGS mutations_sync = 2');
    expect(await bookFact(opened.store, fact(1, 'a'))).toBe('booked');
    expect(await bookedRows()).toEqual([{ number: 1, correction: 'a' }]);
  });

  test('an unreachable store is given up with its error', async () => {
    const away = around(async () => {
      throw DOWN;
    });
    await expect(bookFact(away, fact(1, 'a'))).rejects.toBe(DOWN);
  });

  test('the rows of a fact are one part, however many', async () => {
    // More than one block of the journal may hold.
    const rows = 4_100_000;
    const columns = [
      int64Column('number', 'UInt64', new Float64Array(rows).fill(1)),
      fixedColumn('kind', 'Int8', new Int8Array(rows).fill(3)),
      int64Column(
        'offset',
        'Int64',
        Float64Array.from({ length: rows }, (_, row) => (row * 7919) % rows),
      ),
    ];
    const large = { ...fact(1, ''), rows, columns };
    expect(await bookFact(opened.store, large)).toBe('booked');
    expect(await opened.store.query('SELECT count() AS held, uniqExact(_part) AS parts FROM corrections')).toEqual([
      { held: rows, parts: 1 },
    ]);
  });
});
