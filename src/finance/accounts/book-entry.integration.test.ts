import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { systemClock } from '../../platform/clock.ts';
import { lastNumber } from '../book-fact.ts';
import type { AccountEntry } from './account-entry.ts';
import { bookEntry, bookEntryAt } from './book-entry.ts';
import { entryOfKey } from './entry-rows.ts';

describe.each(['embedded', 'http'] as const)('account entries with a store of access %s', (access) => {
  let opened: OpenedStore;
  let keys = 0;
  beforeAll(async () => {
    opened = await OPEN_STORE[access]();
  });
  afterAll(() => opened?.close());

  const topUp = (change: Partial<AccountEntry> = {}): AccountEntry => ({
    kind: 'top-up',
    idempotencyKey: `key-${++keys}`,
    sponsorId: 'chatter',
    currency: 'USD',
    amountMicros: 100_000_000,
    effectiveAtMs: null,
    who: "o'neill \\ sons",
    why: 'Überweisung',
    ...change,
  });
  const book = (entry: AccountEntry) => bookEntry(opened.store, entry, systemClock);
  const last = () => lastNumber(opened.store, 'account_entries');
  const count = async (key: string) => {
    const [{ n }] = await opened.store.query<{ n: number }>(
      `SELECT count() AS n FROM account_entries WHERE idempotency_key = '${key}'`,
    );
    return Number(n);
  };

  test.each([Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 1, -1])(
    '%d micro-units are stored as they were given',
    async (amountMicros) => {
      const entry = topUp({ kind: 'adjustment', amountMicros, effectiveAtMs: 1_700_000_000_123 });
      const { number } = await book(entry);
      expect(await entryOfKey(opened.store, entry.idempotencyKey)).toEqual({
        ...entry,
        number,
        bookedAtMs: expect.any(Number),
      });
    },
  );

  test('the same key with the same content changes nothing, and says so', async () => {
    const entry = topUp();
    const { outcome, number } = await book(entry);
    expect(outcome).toBe('booked');
    expect(await book(entry)).toEqual({ outcome: 'existing', number });
    expect(await last()).toBe(number);
  });

  test.each<[string, Partial<AccountEntry>]>([
    ['kind', { kind: 'payment' }],
    ['sponsor', { sponsorId: 'parley' }],
    ['currency', { currency: 'EUR' }],
    ['amount', { amountMicros: 100_000_001 }],
    ['instant', { effectiveAtMs: 1_700_000_000_000 }],
    ['who', { who: 'bob' }],
    ['why', { why: 'another' }],
  ])('the same key with another %s is refused, and nothing is booked', async (_, change) => {
    const entry = topUp();
    const { number } = await book(entry);
    const { outcome, refusal } = await book({ ...entry, ...change });
    expect({ outcome, reason: refusal?.reason }).toEqual({ outcome: 'refused', reason: 'key_used' });
    expect(refusal?.message).toContain(`entry ${number}`);
    expect(await last()).toBe(number);
  });

  test('eight writers with a key each are all booked, under consecutive numbers, each once', async () => {
    const before = await last();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => book(topUp({ amountMicros: 1 }))));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array(8).fill('booked'));
    expect(outcomes.map(({ number }) => number).sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 8 }, (_, at) => before + 1 + at),
    );
    expect(await last()).toBe(before + 8);
  });

  test('eight writers race with one key and one content: one entry is booked', async () => {
    const entry = topUp();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => book(entry)));
    expect(new Set(outcomes.map(({ number }) => number)).size).toBe(1);
    expect(outcomes.every(({ outcome }) => outcome !== 'refused')).toBe(true);
    expect(await count(entry.idempotencyKey)).toBe(1);
  });

  test('eight writers race with one key and different contents: one is booked, seven are refused', async () => {
    const entry = topUp();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, writer) => book({ ...entry, amountMicros: writer + 1 })),
    );
    expect(outcomes.filter(({ outcome }) => outcome === 'booked')).toHaveLength(1);
    expect(outcomes.filter(({ outcome }) => outcome === 'refused')).toHaveLength(7);
    const winner = outcomes.findIndex(({ outcome }) => outcome === 'booked');
    expect(await entryOfKey(opened.store, entry.idempotencyKey)).toMatchObject({ amountMicros: winner + 1 });
    expect(await count(entry.idempotencyKey)).toBe(1);
  });

  test('the insert itself refuses a key that is booked, even without a look-up before', async () => {
    const entry = topUp();
    await book(entry);
    const number = (await last()) + 1;
    expect(await bookEntryAt(opened.store, entry, number, systemClock)).toBe('fenced');
    expect(await last()).toBe(number - 1);
  });

  test('a sponsor that is not suspended cannot be resumed; one suspended by hand is not suspended again', async () => {
    const fact = (kind: 'suspension' | 'resumption') => topUp({ kind, amountMicros: 0, sponsorId: 'lumen' });
    const reasons = [];
    for (const kind of ['resumption', 'suspension', 'suspension', 'resumption', 'resumption'] as const) {
      const { outcome, refusal } = await book(fact(kind));
      reasons.push(refusal?.reason ?? outcome);
    }
    expect(reasons).toEqual(['not_suspended', 'booked', 'suspended_already', 'booked', 'not_suspended']);
  });

  test('balances are entries less charges and corrections, to the micro-unit', async () => {
    const amounts = [5_000_000, 1, -3, Number.MAX_SAFE_INTEGER - 1];
    for (const amountMicros of amounts)
      await book(topUp({ kind: 'adjustment', sponsorId: 'pigeon', currency: 'KWD', amountMicros }));
    const charges = [7, 11, Number.MAX_SAFE_INTEGER];
    const rows = charges.map((micros, at) => `('charge', 't-0', 't', ${at}, 'pigeon', 'KWD', ${micros})`);
    await opened.store.command(
      `INSERT INTO journal (kind, lane, topic, offset, sponsor_id, currency, charge_micros) VALUES ${rows.join(', ')}`,
    );
    await opened.store.command(
      "INSERT INTO corrections (kind, number, sponsor_id, currency, charge_micros) VALUES ('head', 1, '', '', 0), " +
        "('reversal', 1, 'pigeon', 'KWD', -7), ('charge', 1, 'pigeon', 'KWD', 9)",
    );
    const [balance] = await opened.store.query(
      'SELECT toString(credited_micros) AS credited, toString(charged_micros) AS charged, toString(balance_micros) AS balance ' +
        "FROM account_balances WHERE sponsor_id = 'pigeon'",
    );
    const sum = (of: number[]) => of.reduce((total, micros) => total + BigInt(micros), 0n);
    const [credited, charged] = [sum(amounts), sum([...charges, -7, 9])];
    expect(balance).toEqual({
      credited: String(credited),
      charged: String(charged),
      balance: String(credited - charged),
    });
  });
});
