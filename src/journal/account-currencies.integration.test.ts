import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { otherCurrencies, readAccountCurrencies, requireAccountCurrency } from './account-currencies.ts';

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  for (const row of [
    "journal (kind, sponsor_id, currency) SELECT 'charge', 'charged', 'USD'",
    "journal (kind, lane) SELECT 'batch', 'flows-0'",
    "corrections (kind, number, sponsor_id, currency) SELECT 'head', 1, 'charged', 'USD'",
    "corrections (kind, number, sponsor_id, currency) SELECT 'charge', 1, 'corrected', 'EUR'",
    "account_entries (number, sponsor_id, currency) SELECT 1, 'paid', 'JPY'",
    "closings (number, sponsor_id, currency) SELECT 1, 'closed', 'KWD'",
    "account_entries (number, sponsor_id, currency) SELECT 2, 'closed', 'USD'",
  ]) {
    await opened.store.command(`INSERT INTO ${row}`);
  }
});
afterAll(() => opened?.close());

test('an account has the currencies of charges, corrections, entries and closings', async () => {
  expect(Object.fromEntries(await readAccountCurrencies(opened.store))).toEqual({
    charged: ['USD'],
    corrected: ['EUR'],
    paid: ['JPY'],
    closed: ['KWD', 'USD'],
  });
});

test('a sponsor without a part of its account in its currency is named', async () => {
  const accounts = await readAccountCurrencies(opened.store);
  const sponsors = [
    { id: 'charged', currency: 'EUR' },
    { id: 'corrected', currency: 'EUR' },
    { id: 'closed', currency: 'USD' },
    { id: 'new', currency: 'EUR' },
  ];
  expect(otherCurrencies(accounts, sponsors)).toEqual([
    'sponsor charged has EUR in the catalogue, and its account is in USD: an account keeps its currency, so keep USD, or give the sponsor in EUR another id',
  ]);
});

test.each(['charged', 'corrected', 'paid'])('%s: another currency is refused', async (id) => {
  await expect(requireAccountCurrency(opened.store, { id, currency: 'CHF' })).rejects.toThrow(
    'has CHF in the catalogue',
  );
});

test('an account in several currencies is refused in each of them', async () => {
  await expect(requireAccountCurrency(opened.store, { id: 'closed', currency: 'USD' })).rejects.toThrow('KWD, USD');
  await requireAccountCurrency(opened.store, { id: 'new', currency: 'USD' });
});
