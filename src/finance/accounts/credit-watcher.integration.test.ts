import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { AccountEntry } from './account-entry.ts';
import { bookEntry } from './book-entry.ts';
import { CreditWatcher } from './credit-watcher.ts';

const SPONSORS = [
  { id: 'chatter', name: 'Chatter', currency: 'USD', minorDigits: 2, creditLimitMicros: 1000 },
  { id: 'lumen', name: 'Lumen', currency: 'JPY', minorDigits: 0, creditLimitMicros: 0 },
];
let opened: OpenedStore;
let offset = 0;

afterEach(() => opened?.close());

function watcherOf(store: Store = opened.store, sponsors = SPONSORS): CreditWatcher {
  return new CreditWatcher({ store, sponsors, clock: systemClock, checkIntervalMs: 1 });
}

/** Books a batch of one record that charges the sponsor `micros`. */
async function charge(micros: number, sponsor = SPONSORS[0], log = "'t-0', 't', 0"): Promise<void> {
  offset += 2;
  await opened.store.command(
    'INSERT INTO journal (kind, lane, topic, partition, offset, sponsor_id, currency, charge_micros) VALUES ' +
      `('charge', ${log}, ${offset - 1}, '${sponsor.id}', '${sponsor.currency}', ${micros}), ` +
      `('batch', ${log}, ${offset}, '', '', 0)`,
  );
}

async function book(kind: AccountEntry['kind'], amountMicros = 0): Promise<void> {
  const { id: sponsorId, currency } = SPONSORS[0];
  const idempotencyKey = `by-hand-${++offset}`;
  const entry = {
    kind,
    idempotencyKey,
    sponsorId,
    currency,
    amountMicros,
    effectiveAtMs: null,
    who: 'alice',
    why: 'x',
  };
  expect(await bookEntry(opened.store, entry, systemClock)).toMatchObject({ outcome: 'booked' });
}

const facts = async () =>
  (
    await opened.store.query<{ fact: string }>(
      "SELECT concat(kind, ' of ', sponsor_id, ' by ', who, ': ', why) AS fact FROM account_entries " +
        "WHERE kind IN ('suspension', 'resumption') ORDER BY number",
    )
  ).map(({ fact }) => fact);

describe.each(['embedded', 'http'] as const)('the credit watcher with a store of access %s', (access) => {
  beforeEach(async () => {
    opened = await OPEN_STORE[access]();
  });

  test('suspends a sponsor whose balance passes its limit, once, and resumes it when a top-up brings it back', async () => {
    const watcher = watcherOf();
    await charge(1000);
    expect(await watcher.check()).toEqual([]);
    await charge(1);
    expect(await watcher.check()).toMatchObject([{ kind: 'suspension', idempotencyKey: 'credit-chatter-0' }]);
    expect(await watcher.check()).toEqual([]);
    await book('top-up', 1);
    expect(await watcher.check()).toMatchObject([{ kind: 'resumption', idempotencyKey: 'credit-chatter-2' }]);
    expect(await watcher.check()).toEqual([]);
    await charge(1);
    await watcher.check();
    expect(await facts()).toEqual([
      'suspension of chatter by credit watcher: balance -0.001001 USD is past the credit limit of 0.001 USD',
      'resumption of chatter by credit watcher: balance -0.001 USD is within the credit limit of 0.001 USD',
      'suspension of chatter by credit watcher: balance -0.001001 USD is past the credit limit of 0.001 USD',
    ]);
  });
});

describe('the credit watcher', () => {
  beforeEach(async () => {
    opened = await OPEN_STORE.embedded();
  });

  test('leaves a suspension by hand alone, also one that followed its own', async () => {
    const watcher = watcherOf();
    await book('suspension');
    await charge(2000);
    expect(await watcher.check()).toEqual([]);
    await book('resumption');
    expect(await watcher.check()).toMatchObject([{ kind: 'suspension' }]);
    await book('suspension');
    await book('top-up', 5000);
    expect(await watcher.check()).toEqual([]);
    await book('resumption');
    expect(await watcher.check()).toEqual([]);
    expect((await facts()).at(-1)).toContain('resumption of chatter by alice');
  });

  test('sums every log, new ones too, corrections, and each sponsor in its own currency', async () => {
    const watcher = watcherOf();
    await charge(400);
    await charge(300, SPONSORS[0], "'t-1', 't', 1");
    await watcher.check();
    await charge(200, SPONSORS[0], "'files', 'a', 0");
    await charge(100, SPONSORS[0], "'files', 'b', 0");
    await charge(5, { ...SPONSORS[1], currency: 'USD' });
    expect(await watcher.check()).toEqual([]);
    const correct = (number: number, micros: number) =>
      opened.store.command(
        'INSERT INTO corrections (kind, number, sponsor_id, currency, charge_micros) VALUES ' +
          `('head', ${number}, '', '', 0), ('charge', ${number}, 'chatter', 'USD', ${micros})`,
      );
    await correct(1, 1);
    await charge(1, SPONSORS[1]);
    expect((await watcher.check()).map(({ sponsorId }) => sponsorId)).toEqual(['chatter', 'lumen']);
    await correct(2, -1);
    expect(await watcher.check()).toMatchObject([{ kind: 'resumption', sponsorId: 'chatter' }]);
    expect(await watcherOf().check()).toEqual([]);
  });

  test('reads only what was booked since the last check', async () => {
    const rows = 200_000;
    const fill = (from: number) =>
      opened.store.command(
        'INSERT INTO journal (kind, lane, topic, partition, offset, sponsor_id, currency, charge_micros) ' +
          `SELECT if(number % 100 = 99, 'batch', 'charge') AS what, 't-0', 't', 0, ${from} + number, ` +
          "if(what = 'batch', '', 'lumen'), if(what = 'batch', '', 'JPY'), what = 'charge' " +
          `FROM numbers(${rows}) SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 4000000`,
      );
    await fill(0);
    const asked: string[] = [];
    const query: Store['query'] = (sql) => {
      asked.push(sql);
      return opened.store.query(sql);
    };
    const watcher = watcherOf({ ...opened.store, query });
    expect(await watcher.check()).toMatchObject([{ why: expect.stringContaining('balance -0.198 JPY') }]);
    const readByNextCheck = async () => {
      asked.length = 0;
      await watcher.check();
      let read = 0;
      for (const sql of asked) {
        const parts = await opened.store.query<{ rows: number }>(`EXPLAIN ESTIMATE ${sql}`);
        read += parts.reduce((sum, part) => sum + Number(part.rows), 0);
      }
      return read;
    };
    const granule = 8192;
    expect(await readByNextCheck()).toBeLessThanOrEqual(3 * granule);
    offset = 10 * rows;
    await charge(1, SPONSORS[1]);
    expect(await readByNextCheck()).toBeLessThanOrEqual(6 * granule);
  });

  test('after a store failure in the middle of a check the next one sums correctly', async () => {
    let failing = true;
    let calls = 0;
    const query: Store['query'] = (sql) =>
      failing && ++calls % 3 === 0 ? Promise.reject(new Error('down')) : opened.store.query(sql);
    const watcher = watcherOf({ ...opened.store, query });
    for (let charged = 0; charged < 1000; charged += 100) {
      await charge(100);
      await watcher.check().catch(() => {});
    }
    failing = false;
    expect(await watcher.check()).toEqual([]);
    await charge(1);
    expect(await watcher.check()).toMatchObject([{ why: expect.stringContaining('-0.001001 USD') }]);
  });

  test('of four watchers that decide the same, one books', async () => {
    await charge(1001);
    const booked = await Promise.all(Array.from({ length: 4 }, () => watcherOf().check()));
    expect(await facts()).toHaveLength(1);
    // Watchers that book the same in the same millisecond each get `booked`, as the entry exists.
    expect(new Set(booked.flat().map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  test('checks at intervals until it is stopped, and reports its problems', async () => {
    const outcomes: unknown[] = [];
    const problem = new Error('down');
    let failing = true;
    const query: Store['query'] = (sql) => (failing ? Promise.reject(problem) : opened.store.query(sql));
    const booked = new Promise<AccountEntry>((resolve) => {
      const watcher = new CreditWatcher({
        store: { ...opened.store, query },
        sponsors: SPONSORS,
        clock: systemClock,
        checkIntervalMs: 1,
        onBooked: (entry) => void watcher.stop().then(() => resolve(entry)),
        onChecked(outcome) {
          outcomes.push(outcome);
          failing = false;
        },
      });
      watcher.start();
    });
    await charge(1001);
    expect(await booked).toMatchObject({ kind: 'suspension' });
    expect(outcomes[0]).toBe(problem);
    expect(outcomes.slice(1).every((outcome) => outcome === null)).toBe(true);
    expect(outcomes.length).toBeGreaterThan(1);
  });
});
