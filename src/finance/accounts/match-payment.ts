import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { type BankMovement, plainAccount } from './read-camt053.ts';

/** The sponsor of a payment and what identified it; or why the sponsor is unknown. */
export type PaymentMatch = { sponsorId: string; by: string; why?: undefined } | { sponsorId: null; why: string };

/** What identifies payers. Accounts are as `plainAccount` returns them. */
export interface PayerIndex {
  /** Sponsor by number of an invoice, in capital letters. */
  invoices: ReadonlyMap<string, string>;
  accounts: ReadonlyMap<string, string>;
  sponsorIds: ReadonlySet<string>;
}

/**
 * Returns the sponsor of a payment: the one whose invoice it names; otherwise the one whose bank account paid, or whose id
 * is a word of its remittance. Names of several sponsors are no match.
 */
export function matchPayment(movement: BankMovement, { invoices, accounts, sponsorIds }: PayerIndex): PaymentMatch {
  const { references, remittance, debtorAccount } = movement;
  const words = [...references, ...remittance.flatMap((text) => [text, ...text.split(/[\s,;:()]+/)])];
  const numbers = words.map((word) => word.toUpperCase()).filter((word) => invoices.has(word));
  const invoiced = numbers.map((number) => ({ sponsorId: invoices.get(number) ?? '', by: `invoice ${number}` }));
  const named = words
    .map((word) => word.toLowerCase().replace(/\.$/, ''))
    .filter((word) => sponsorIds.has(word))
    .map((sponsorId) => ({ sponsorId, by: 'sponsor id' }));
  const payer = accounts.get(debtorAccount);
  const paid = payer === undefined ? [] : [{ sponsorId: payer, by: 'debtor account' }];
  const found = invoiced.length > 0 ? invoiced : [...paid, ...named];
  const sponsors = new Set(found.map(({ sponsorId }) => sponsorId));
  if (sponsors.size === 1) return found[0];
  if (sponsors.size > 1) return { sponsorId: null, why: `names several sponsors: ${[...sponsors].join(', ')}` };
  return { sponsorId: null, why: 'names no invoice, no sponsor and no known debtor account' };
}

/** Reads the index from the catalogue's sponsors and the invoices of the store. Rejects with a StoreError. */
export async function payerIndex(store: Store, sponsors: readonly Sponsor[]): Promise<PayerIndex> {
  return {
    invoices: await invoiceNumbers(store),
    accounts: new Map(
      sponsors.flatMap(({ id, bankAccounts = [] }) => bankAccounts.map((it) => [plainAccount(it), id])),
    ),
    sponsorIds: new Set(sponsors.map(({ id }) => id)),
  };
}

/** Returns sponsors by invoice number, from the view `invoices`; none in a store that has no such view. */
async function invoiceNumbers(store: Store): Promise<Map<string, string>> {
  const views = await store.query(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND name = ${literal('invoices')}`,
  );
  if (views.length === 0) return new Map();
  const rows = await store.query<{ number: string; sponsor: string }>(
    'SELECT toString(invoice_number) AS number, toString(sponsor_id) AS sponsor FROM invoices',
  );
  return new Map(rows.map(({ number, sponsor }) => [number.toUpperCase(), sponsor]));
}
