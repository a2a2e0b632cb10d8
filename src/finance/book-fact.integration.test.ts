import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOORS, type OpenedStore } from '../engine/engine.fixture.ts';
import { nativeBlock, structureOf } from '../platform/native-block.ts';
import type { Store } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';
import { bookFact, factStatement, lastNumber, type NumberedFact } from './book-fact.ts';
import { entryColumns } from './entry-rows.ts';

const RETRY = { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 5000 };
const LOST = new StoreError('store_unreachable', 'the answer was lost', { canRetry: true });

describe.each(['embedded', 'http'] as const)('a numbered fact over the %s door', (door) => {
  let opened: OpenedStore;
  beforeAll(async () => {
    opened = await DOORS[door]();
  });
  afterAll(() => opened?.close());

  /** An entry whose reason says whose it is. */
  const factOf = (number: number, why: string): NumberedFact => ({
    table: 'account_entries',
    number,
    columns: entryColumns({
      kind: 'top-up',
      idempotencyKey: `${number}-${why}`,
      sponsorId: 'chatter',
      currency: 'USD',
      amountMicros: 1,
      who: 'test',
      why,
      number,
      effectiveAtMs: 0,
      bookedAtMs: 0,
    }),
    isOurs: async () => (await reasons()).includes(`${number} ${why}`),
  });
  const reasons = async () =>
    (
      await opened.store.query<{ entry: string }>(
        `SELECT concat(toString(number), ' ', why) AS entry FROM account_entries ORDER BY number, why`,
      )
    ).map(({ entry }) => entry);
  const book = (fact: NumberedFact, store: Store = opened.store) => bookFact(store, fact, RETRY);
  const next = async () => (await lastNumber(opened.store, 'account_entries')) + 1;

  /** What an insert does whose guard was asked before another one landed. */
  const insertLate = (fact: NumberedFact) => {
    const late = (source: string) => factStatement(fact, source).replace(/ WHERE throwIf.*/s, '');
    return opened.store.insertBlock(late, structureOf(fact.columns), nativeBlock(1, fact.columns));
  };

  test('is booked under the next number and under no other', async () => {
    const number = await next();
    expect(await book(factOf(number + 1, 'too far'))).toBe('outrun');
    expect(await book(factOf(number, 'first'))).toBe('booked');
    expect(await book(factOf(number, 'second'))).toBe('outrun');
    expect(await book(factOf(number + 1, 'second'))).toBe('booked');
    expect((await reasons()).slice(-2)).toEqual([`${number} first`, `${number + 1} second`]);
  });

  test('of eight writers that race for one number one books, and the others are told', async () => {
    const number = await next();
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, writer) => book(factOf(number, `racer ${writer}`))),
    );
    expect(results.filter((result) => result === 'booked')).toHaveLength(1);
    const winner = results.indexOf('booked');
    expect((await reasons()).filter((entry) => entry.startsWith(`${number} `))).toEqual([`${number} racer ${winner}`]);
  });

  test('of two writers that both passed the guard one lands, and the other is told', async () => {
    const number = await next();
    await insertLate(factOf(number, 'landed'));
    const blind: Store = { ...opened.store, insertBlock: () => insertLate(factOf(number, 'dropped')) };
    expect(await book(factOf(number, 'dropped'), blind)).toBe('outrun');
    expect((await reasons()).filter((entry) => entry.startsWith(`${number} `))).toEqual([`${number} landed`]);
  });

  test('whose acknowledgement is lost is found by reading back, and is booked once', async () => {
    const number = await next();
    let inserts = 0;
    const lossy: Store = {
      ...opened.store,
      async insertBlock(...insert) {
        inserts++;
        await opened.store.insertBlock(...insert);
        throw LOST;
      },
    };
    expect(await book(factOf(number, 'lost'), lossy)).toBe('booked');
    expect(inserts).toBe(1);
    expect((await reasons()).filter((entry) => entry.startsWith(`${number} `))).toEqual([`${number} lost`]);
  });

  test('whose insert never arrived is sent again', async () => {
    const number = await next();
    let inserts = 0;
    const lossy: Store = {
      ...opened.store,
      async insertBlock(...insert) {
        if (++inserts === 1) throw LOST;
        await opened.store.insertBlock(...insert);
      },
    };
    expect(await book(factOf(number, 'late'), lossy)).toBe('booked');
    expect(inserts).toBe(2);
  });

  test('whose insert was lost, and whose token was not, is booked again, once', async () => {
    const number = await next();
    const fact = factOf(number, 'again');
    await insertLate(fact);
    await opened.store.command(
      `ALTER TABLE account_entries DELETE WHERE number = ${number} SETTINGS mutations_sync = 2`,
    );
    expect(await book(fact)).toBe('booked');
    await insertLate(factOf(number, 'rival'));
    expect((await reasons()).filter((entry) => entry.startsWith(`${number} `))).toEqual([`${number} again`]);
  });

  test('is held back by a guard of its own', async () => {
    const number = await next();
    const guard = '(SELECT count() FROM account_entries) > 0';
    expect(await book({ ...factOf(number, 'guarded'), guard })).toBe('outrun');
    expect(await next()).toBe(number);
  });
});
