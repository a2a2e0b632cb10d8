import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { bookEntryAt } from '../../finance/accounts/book-entry.ts';
import type { FactTable } from '../../finance/book-fact.ts';
import { bookCampaignFact } from '../../finance/campaigns/campaign-fact.ts';
import { closeMonth } from '../../finance/closing/close-month.ts';
import { bookCorrection } from '../../finance/corrections/book-correction.ts';
import { bookedSource } from '../../finance/corrections/booked-source.fixture.ts';
import { AUTUMN, bookAll, LOGS, MISSED, RIGHT } from '../../finance/corrections/missed-traffic.fixture.ts';
import { claimRecycling } from '../../finance/corrections/recyclings.ts';
import { bookKeyHistory } from '../../finance/key-history.ts';
import { systemClock } from '../../platform/clock.ts';
import { auditNumberedFacts, NUMBERED_FACTS } from './audit-numbered-facts.ts';
import { upgradedAt } from './upgraded-store.fixture.ts';

const TABLES = Object.keys(NUMBERED_FACTS) as FactTable[];
const because = { who: 'ada', why: 'agreed' };

let opened: OpenedStore;
let migrated: string;
const run = (sql: string) => opened.store.command(sql);
const update = (table: string, set: string, where: string) =>
  run(`ALTER TABLE ${table} UPDATE ${set} WHERE ${where} SETTINGS mutations_sync = 2`);

/** Books a correction, and two facts of every other kind; the closing covers all of them that closings name. */
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const { store } = opened;
  await bookAll(store, MISSED);
  const request = { ...because, name: 'a prefix', sponsorId: 'acme', range: AUTUMN };
  const openSource = async () => bookedSource(store, LOGS);
  expect((await bookCorrection(store, RIGHT, request, systemClock, { openSource })).outcome).toBe('booked');
  for (const number of [1, 2]) {
    const entry = { ...because, amountMicros: number, currency: 'USD', kind: 'payment', sponsorId: 'acme' } as const;
    const booked = { ...entry, idempotencyKey: `entry ${number}`, effectiveAtMs: null };
    expect(await bookEntryAt(store, booked, number, systemClock)).toBe('booked');
    const pause = { ...because, kind: 'pause', campaignId: 'launch', idempotencyKey: `fact ${number}` } as const;
    expect(await bookCampaignFact(store, pause, number, systemClock)).toBe('booked');
    const value = Buffer.from('{}');
    const records = [number, number + 10].map((offset) => ({ line: 1, topic: 'flows', partition: 0, offset, value }));
    expect(await claimRecycling(store, { number, logs: [], records }, { ...because, nowMs: Date.now() })).toBe(
      'booked',
    );
  }
  for (const month of ['2026-08', '2026-09'] as const) {
    const closing = { sponsorId: 'acme', month, who: 'finn', nowMs: Date.UTC(2027, 0, 1) };
    expect((await closeMonth(store, closing)).outcome).toBe('closed');
  }
  const state = (fingerprint: string, erasedAt: string | null) => ({ fingerprint, erasedAt, ...because });
  await bookKeyHistory(store, [state('aa', null), state('bb', '2026-12-01T00:00:00Z')], Date.now());
  for (const table of [...TABLES, 'journal', 'schema_migrations']) {
    await run(`CREATE TABLE kept_${table} AS ${table} ENGINE = MergeTree ORDER BY tuple()`);
    await run(`INSERT INTO kept_${table} SELECT * FROM ${table}`);
  }
  [{ migrated }] = await store.query<{ migrated: string }>(
    "SELECT formatDateTime(max(applied_at), '%FT%TZ', 'UTC') AS migrated FROM schema_migrations",
  );
});
afterAll(() => opened?.close());

/** What tests changed; it is put back after each. */
const changed = new Set<string>();
afterEach(async () => {
  for (const table of changed) {
    await run(`TRUNCATE TABLE ${table}`);
    await run(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
  }
  changed.clear();
});

async function messages(): Promise<string[]> {
  const found: string[] = [];
  for await (const { invariant, message } of auditNumberedFacts(opened.store)) {
    expect(invariant).toBe('facts');
    found.push(message);
  }
  return found;
}

test('the list has every table of numbered facts, and a store without faults has none', async () => {
  const tables = await opened.store.query<{ table: string }>(
    "SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'number' AND NOT startsWith(table, 'kept_') " +
      "AND startsWith(comment, 'consecutive from 1') ORDER BY table",
  );
  expect(tables.map(({ table }) => table)).toEqual([...TABLES].sort());
  expect(await messages()).toEqual([]);
});

describe('the last fact of a table is deleted', () => {
  async function withoutFact(table: FactTable, number: number): Promise<string[]> {
    changed.add(table);
    await run(`ALTER TABLE ${table} DELETE WHERE number = ${number} SETTINGS mutations_sync = 2`);
    return messages();
  }

  test.each([
    ['account_entries', 2],
    ['corrections', 1],
  ] as const)('%s: the closing that covers it names it', async (table, number) => {
    expect(await withoutFact(table, number)).toEqual([`${table}: number ${number} is missing, and closing 1 names it`]);
  });

  test.each([
    ['account_entries', 'suspension_number'],
    ['campaign_facts', 'campaign_number'],
    ['closings', 'closing_number'],
  ] as const)('%s: a batch names it by %s', async (table, column) => {
    changed.add('journal').add('closings');
    await update('journal', `${column} = 2`, "kind = 'batch' AND lane = 'flows-1' AND lane_sequence = 1");
    await run('TRUNCATE TABLE closings');
    if (table !== 'closings') expect(await messages()).toEqual([]);
    expect(await withoutFact(table, 2)).toEqual([`${table}: number 2 is missing, and batch flows-1@1 names it`]);
  });

  test('recyclings: a log of corrected records names it', async () => {
    changed.add('journal');
    await run("INSERT INTO journal (kind, lane, topic, offset) SELECT 'batch', 'flows-0', 'recycled/2/flows', 12");
    expect(await withoutFact('recyclings', 2)).toEqual([
      'recyclings: number 2 is missing, and log recycled/2/flows-0 names it',
    ]);
  });

  test('recyclings: a correction that reverses it names it', async () => {
    changed.add('corrections');
    await run("INSERT INTO corrections (kind, number, recycling) SELECT 'head', 2, 2");
    expect(await withoutFact('recyclings', 2)).toContain('recyclings: number 2 is missing, and correction 2 names it');
  });
});

describe('a fact without a digest', () => {
  const forget = (table: FactTable, number: number, digest = 'not recorded') => {
    changed.add(table);
    return update(table, `digest = '${digest}'`, `number = ${number}`);
  };
  const upgraded = (instant: string) => {
    changed.add('schema_migrations');
    return upgradedAt(opened.store, instant);
  };

  test.each(TABLES)('is a fault in a store that began with digests: %s', async (table) => {
    await forget(table, 1);
    expect(await messages()).toEqual([`${table}: number 1 has no digest, and the store began with them`]);
    // Whenever it says that it was booked.
    const { bookedAt } = NUMBERED_FACTS[table];
    await update(table, `${bookedAt} = toDateTime64('2020-06-01 00:00:00', 3, 'UTC')`, 'number = 1');
    expect(await messages()).toEqual([`${table}: number 1 has no digest, and the store began with them`]);
  });

  test.each(TABLES)('may be the first one, booked before the store had digests: %s', async (table) => {
    await upgraded('2099-01-01T00:00:00Z');
    await forget(table, 1);
    expect(await messages()).toEqual([]);
    await upgraded('2021-01-01T00:00:00Z');
    const fault = `^${table}: number 1 has no digest, and was booked at 202.*Z: the store has them since 2021-01-01T00:00:00.000Z$`;
    expect(await messages()).toEqual([expect.stringMatching(fault)]);
  });

  test.each(TABLES.filter((table) => table !== 'corrections'))('is none after one that has it: %s', async (table) => {
    await upgraded('2099-01-01T00:00:00Z');
    await forget(table, 2);
    expect(await messages()).toEqual([`${table}: number 2 has no digest, and number 1 before it has one`]);
  });

  test('the earlier form of corrections is none either', async () => {
    await update('corrections', `digest = repeat('a', 64)`, "kind = 'head'");
    changed.add('corrections');
    expect(await messages()).toEqual(['corrections: number 1 has no digest, and the store began with them']);
    await upgraded('2099-01-01T00:00:00Z');
    expect(await messages()).toEqual([]);
    await run(
      "INSERT INTO corrections (kind, number, digest) SELECT 'head', 2, concat(repeat('0', 64), ' number UInt64')",
    );
    await run("INSERT INTO corrections (kind, number, digest) SELECT 'head', 3, repeat('a', 64)");
    expect(await messages()).toContain('corrections: number 3 has no digest, and number 2 before it has one');
  });

  test('an inserted fact has none', async () => {
    changed.add('account_entries').add('schema_migrations');
    const entry = "3, 'x', 'acme', 'USD', 'top-up', 999000000";
    await run(
      `INSERT INTO account_entries (number, idempotency_key, sponsor_id, currency, kind, amount_micros) SELECT ${entry}`,
    );
    const fault = 'account_entries: number 3 has no digest, and number 1 before it has one';
    expect(await messages()).toEqual([fault]);
    await upgraded('2099-01-01T00:00:00Z');
    expect(await messages()).toEqual([fault]);
  });

  test('a clock that is some minutes ahead of the store’s is no fault', async () => {
    await upgraded(migrated);
    await forget('recyclings', 1);
    expect(await messages()).toEqual([]);
    await update('recyclings', 'claimed_at = claimed_at + 3600', 'number = 1');
    expect(await messages()).toEqual([
      expect.stringMatching(/^recyclings: number 1 has no digest, and was booked at /),
    ]);
  });

  test('of a store whose tables were copied, the migrations of both count', async () => {
    changed.add('schema_migrations');
    await run(
      'INSERT INTO schema_migrations SELECT number, name, applied_at - 1e8 FROM kept_schema_migrations WHERE number < 24',
    );
    await forget('recyclings', 1);
    expect(await messages()).toEqual([]);
  });
});
