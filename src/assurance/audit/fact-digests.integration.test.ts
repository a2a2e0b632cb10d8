import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { bookEntryAt } from '../../finance/accounts/book-entry.ts';
import { closeMonth } from '../../finance/closing/close-month.ts';
import { bookCorrection } from '../../finance/corrections/book-correction.ts';
import { bookedSource } from '../../finance/corrections/booked-source.fixture.ts';
import { AUTUMN, bookAll, LOGS, MISSED, RIGHT } from '../../finance/corrections/missed-traffic.fixture.ts';
import { claimRecycling } from '../../finance/corrections/recyclings.ts';
import { systemClock } from '../../platform/clock.ts';
import { auditFacts } from './audit-facts.ts';

let opened: OpenedStore;
afterAll(() => opened?.close());

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const { store } = opened;
  await bookAll(store, MISSED);
  const request = { name: 'a prefix', who: 'ada', why: 'it was forgotten', sponsorId: 'acme', range: AUTUMN };
  const openSource = async () => bookedSource(store, LOGS);
  expect((await bookCorrection(store, RIGHT, request, systemClock, { openSource })).outcome).toBe('booked');
  for (const number of [1, 2]) {
    const amount = { amountMicros: 5_000_000 * number, currency: 'USD', kind: 'payment' } as const;
    const entry = { ...amount, sponsorId: 'acme', idempotencyKey: `ü ${number}`, who: 'ada', why: 'paid' };
    expect(await bookEntryAt(store, { ...entry, effectiveAtMs: null }, number, systemClock)).toBe('booked');
  }
  const closing = { sponsorId: 'acme', month: '2026-09', who: 'finn', nowMs: Date.UTC(2027, 0, 1) };
  expect((await closeMonth(store, closing)).outcome).toBe('closed');
  const records = [8, 31].map((offset) => ({
    line: 1,
    topic: 'flows',
    partition: 0,
    offset,
    value: Buffer.from('{}'),
  }));
  const next = { number: 1, logs: [], records };
  expect(await claimRecycling(store, next, { who: 'ada', why: 'corrected', nowMs: 1 })).toBe('booked');
});

async function messages(): Promise<string[]> {
  const found: string[] = [];
  for await (const { invariant, message } of auditFacts(opened.store)) found.push(`${invariant}: ${message}`);
  return found;
}

test('facts have the content that they were booked with', async () => {
  expect(await messages()).toEqual([]);
  const [{ first }] = await opened.store.query<{ first: number }>(
    "SELECT countIf(lane != '') AS first FROM corrections",
  );
  expect(Number(first)).toBeGreaterThan(50);
});

/** A change, and what takes it back. */
const CHANGES: [table: string, number: number, change: string, back: string, where: string][] = [
  ['corrections', 1, 'charge_micros = charge_micros + 1000', 'charge_micros = charge_micros - 1000', "lane != ''"],
  [
    'corrections',
    1,
    'local_sequence_number = local_sequence_number + 1',
    'local_sequence_number = local_sequence_number - 1',
    "kind = 'charge'",
  ],
  ['corrections', 1, 'start_time = start_time - 864000', 'start_time = start_time + 864000', "lane != ''"],
  ['corrections', 1, 'carry_after = carry_after + 1', 'carry_after = carry_after - 1', "kind = 'charge'"],
  ['corrections', 1, "who = 'eve'", "who = 'ada'", "kind = 'head'"],
  [
    'account_entries',
    2,
    'amount_micros = amount_micros * 10',
    'amount_micros = intDiv(amount_micros, 10)',
    'number = 2',
  ],
  ['account_entries', 2, "kind = 'rebate'", "kind = 'payment'", 'number = 2'],
  ['closings', 1, 'closing_micros = closing_micros + 1', 'closing_micros = closing_micros - 1', 'number = 1'],
  ['closings', 1, "completeness = concat(completeness, ' ')", 'completeness = trimRight(completeness)', 'number = 1'],
  ['recyclings', 1, "why = 'none'", "why = 'corrected'", 'offset = 31'],
];

test.each(CHANGES)('%s, number %i: a change to %s is found', async (table, number, change, back, where) => {
  const update = (assignment: string) =>
    opened.store.command(`ALTER TABLE ${table} UPDATE ${assignment} WHERE ${where} SETTINGS mutations_sync = 2`);
  await update(change);
  const fault = expect.stringMatching(`^facts: ${table}: the rows of number ${number} give .*: they were changed$`);
  expect(await messages()).toContainEqual(fault);
  await update(back);
  expect(await messages()).toEqual([]);
});

test('a row of a fact that is gone is found', async () => {
  await opened.store.command("ALTER TABLE recyclings DELETE WHERE digest = '' SETTINGS mutations_sync = 2");
  expect((await messages()).filter((message) => message.includes('recyclings'))).toHaveLength(1);
});

test('lost digests are found', async () => {
  const tables = ['account_entries', 'closings', 'corrections', 'recyclings'];
  for (const table of tables) {
    await opened.store.command(
      `ALTER TABLE ${table} UPDATE digest = '' WHERE digest != '' SETTINGS mutations_sync = 2`,
    );
  }
  expect(await messages()).toEqual(
    expect.arrayContaining(tables.map((table) => `facts: ${table}: number 1 has lost its digest`)),
  );
});
