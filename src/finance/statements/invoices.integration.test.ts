import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { literal, type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { type AccountRow, accountQuery } from '../accounts/account.ts';
import { bookEntry as post } from '../accounts/book-entry.ts';
import { type CloseOutcome, closeMonth } from '../closing/close-month.ts';
import type { Closing } from '../closing/closings.ts';
import { Booker, bookEntry, buyer, catalogueOf, INVOICING, invoicedCatalogue } from './finance.fixture.ts';
import { findInvoice, readTerms, termsIn } from './invoice.ts';
import { readStatement } from './statement.ts';
import { statementJson } from './statement-document.ts';

const CATALOGUE = invoicedCatalogue([
  { id: 'usd', currency: 'USD', buyer: buyer('{ category: S, rate: "19" }') },
  { id: 'jpy', currency: 'JPY', buyer: buyer('{ category: AE, exemptionReason: Reverse charge }', ', termsDays: 14') },
  { id: 'kwd', currency: 'KWD', buyer: buyer('{ category: O, exemptionReason: Outside the scope }') },
  { id: 'clf', currency: 'EUR', buyer: buyer('{ category: S, rate: "8.875" }') },
  { id: 'bare', currency: 'USD', buyer: null },
]);
const NOW_MS = Date.UTC(2027, 0, 15);

let opened: OpenedStore;
let booker: Booker;
let paid = 0;

const use = (day: string, sponsorId: string, octets: number) => ({ at: day, octets, tag: sponsorId.toUpperCase() });

function close(sponsorId: string, month: string, more: Partial<Parameters<typeof closeMonth>[1]> = {}) {
  return closeMonth(opened.store, { sponsorId, month, who: 'Ada', nowMs: NOW_MS, ...more });
}

function closingOf(outcome: CloseOutcome): Closing {
  if (outcome.outcome === 'refused') throw new Error(outcome.message);
  return outcome.closing;
}

async function balance(sponsorId: string): Promise<bigint> {
  const [row] = await opened.store.query<{ micros: string }>(
    `SELECT toString(balance_micros) AS micros FROM account_balances WHERE sponsor_id = '${sponsorId}'`,
  );
  return BigInt(row?.micros ?? '0');
}

async function account(sponsorId: string): Promise<AccountRow> {
  const sponsor = CATALOGUE.sponsors.find(({ id }) => id === sponsorId) as Sponsor;
  return (await opened.store.query<AccountRow>(accountQuery(sponsor)))[0];
}

async function pay(sponsorId: string, currency: string, amountMicros: bigint): Promise<void> {
  const entry = {
    kind: 'payment' as const,
    idempotencyKey: `pay-${++paid}`,
    sponsorId,
    currency,
    who: 'Ada',
    why: 'bill',
  };
  await post(opened.store, { ...entry, amountMicros: Number(amountMicros), effectiveAtMs: null }, systemClock);
}

async function numbers(): Promise<string[]> {
  const rows = await opened.store.query<{ number: string }>(
    "SELECT invoice_number AS number FROM closings WHERE invoice_number != '' ORDER BY number",
  );
  return rows.map(({ number }) => number).sort();
}

describe('a statement is an invoice', () => {
  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
    booker = new Booker(opened.store, 'flows');
    const days = ['2026-09-03', '2026-10-04'];
    const uses = days.flatMap((day, at) =>
      ['usd', 'jpy', 'kwd', 'clf', 'bare'].map((id, index) => use(day, id, 1_234_567 + 991 * at + 77_777 * index)),
    );
    await booker.book(uses, '2026-12-01', { catalogue: CATALOGUE });
  });
  afterAll(() => opened?.close());

  test('paying the printed amount of every statement brings each account to exactly 0', async () => {
    const units: Record<string, bigint> = { usd: 10_000n, jpy: 1_000_000n, kwd: 1000n, clf: 10_000n, bare: 10_000n };
    for (const [sponsorId, unit] of Object.entries(units)) {
      let sum = 0n;
      for (const month of ['2026-09', '2026-10']) {
        const open = await readStatement(opened.store, sponsorId, month);
        const { due, closingMicros } = closingOf(await close(sponsorId, month));
        const statement = await readStatement(opened.store, sponsorId, month);
        expect(statement.due).toEqual(open.due);
        expect(due?.amountDueMicros).toBe(statement.due?.amountDueMicros);
        expect((due?.amountDueMicros ?? 0n) % unit).toBe(0n);
        expect(closingMicros % unit).toBe(0n);
        sum += due?.amountDueMicros ?? 0n;
        expect(closingMicros).toBe(-sum);
      }
      expect(sum).toBeGreaterThan(0n);
      expect(await balance(sponsorId)).toBe(-sum);
      await pay(sponsorId, CATALOGUE.sponsors.find(({ id }) => id === sponsorId)?.currency ?? '', sum);
      expect(await balance(sponsorId)).toBe(0n);
    }
  });

  test('rounding and tax are postings of their own kind, and the account shows them', async () => {
    const { entries, credited_micros, charged_micros, balance_micros } = await account('usd');
    const of = (kind: string) => entries.filter((entry) => entry.kind === kind);
    expect(of('rounding')).toHaveLength(2);
    expect(of('tax')).toHaveLength(2);
    expect(of('tax')[0]).toMatchObject({ who: 'Ada', why: expect.stringMatching(/^invoice ZR-2027-\d{6}, 2026-09$/) });
    const sum = (of: typeof entries) => of.reduce((total, { amount_micros }) => total + BigInt(amount_micros), 0n);
    const posted = sum([...of('rounding'), ...of('tax')]);
    expect(sum(entries) - posted).toBe(BigInt(credited_micros));
    const charges = await opened.store.query<{ micros: string }>(
      "SELECT toString(sum(charge_micros)) AS micros FROM bookings WHERE sponsor_id = 'usd'",
    );
    expect(BigInt(charged_micros)).toBe(BigInt(charges[0].micros) - posted);
    expect(BigInt(credited_micros) - BigInt(charged_micros)).toBe(BigInt(balance_micros));
  });

  test('invoices are numbered without a gap, have their terms, and are found by number', async () => {
    expect(await numbers()).toEqual(Array.from({ length: 8 }, (_, at) => `ZR-2027-${String(at + 1).padStart(6, '0')}`));
    const { invoice, due, totals } = await readStatement(opened.store, 'jpy', '2026-09');
    expect(invoice).toMatchObject({
      number: 'ZR-2027-000003',
      issueDate: '2027-01-15',
      dueDate: '2027-01-29',
      termsDays: 14,
      seller: { legalName: 'Example Mobile GmbH' },
      buyer: { legalName: 'Buyer & <Co>', tax: { category: 'AE' } },
    });
    expect(due?.taxMicros).toBe(0n);
    expect(due?.amountDue).toBe(totals.total);
    expect(await findInvoice(opened.store, 'ZR-2027-000003')).toEqual({
      number: 'ZR-2027-000003',
      sponsorId: 'jpy',
      currency: 'JPY',
      amountDueMicros: due?.amountDueMicros,
      issueDate: '2027-01-15',
      dueDate: '2027-01-29',
    });
    expect(await findInvoice(opened.store, "ZR-'x")).toBeNull();
  });

  test('without a buyer a statement is no invoice, and says why; so is a month of 0', async () => {
    expect((await readStatement(opened.store, 'bare', '2026-09')).invoice).toBeNull();
    await booker.book([use('2026-11-02', 'bare', 500_000)], '2026-12-03', { catalogue: CATALOGUE });
    expect(await close('bare', '2026-11')).toMatchObject({
      noInvoice: 'the catalogue has no `buyer` for bare',
      closing: { invoiceNumber: '' },
    });
    const empty = await close('usd', '2026-11');
    expect(empty).toMatchObject({ noInvoice: 'nothing is charged or due', closing: { invoiceNumber: '' } });
    expect(await numbers()).toHaveLength(8);
  });

  test('a correction after the closing is on the next invoice', async () => {
    await booker.book([use('2026-10-30', 'jpy', 3_000_000), use('2026-11-30', 'jpy', 5)], '2027-01-02', {
      catalogue: CATALOGUE,
    });
    const closing = closingOf(await close('jpy', '2026-11'));
    expect(closing.adjustmentMicros).toBeGreaterThan(0n);
    expect(closing.invoiceNumber).toBe('ZR-2027-000009');
    expect(closing.due?.amountDueMicros).toBe(-(await balance('jpy')));
    expect(closing.due?.amountDueMicros).toBe(closing.due?.taxableMicros);
  });

  test('a catalogue that a re-rating alone has kept gives no terms', async () => {
    const draft = invoicedCatalogue([{ id: 'usd', currency: 'USD', buyer: buyer('{ category: Z }') }]);
    await opened.store.command(
      `INSERT INTO catalogues (hash, document, first_used_at) SELECT ${literal(draft.hash)}, ${literal(draft.canonicalJson)}, '2100-01-01 00:00:00'`,
    );
    expect((await readTerms(opened.store, 'usd')).terms?.buyer.tax).toMatchObject({ category: 'S' });
  });

  test('a later catalogue changes nothing of a closed invoice', async () => {
    const before = statementJson(await readStatement(opened.store, 'usd', '2026-10'));
    const other = invoicedCatalogue([
      { id: 'usd', currency: 'USD', buyer: buyer('{ category: Z }', ', termsDays: 1') },
      { id: 'kwd', currency: 'KWD', buyer: null },
    ]);
    await booker.book([use('2026-12-02', 'usd', 1_000_000)], '2027-01-03', { catalogue: other });
    expect(statementJson(await readStatement(opened.store, 'usd', '2026-10'))).toBe(before);
    const january = await readStatement(opened.store, 'usd', '2026-12');
    expect(january.invoice).toMatchObject({ number: null, issueDate: null, buyer: { tax: { category: 'Z' } } });
    expect(january.due?.taxMicros).toBe(0n);
  });

  test('terms may come from another catalogue than the store’s; a series begins where it says', async () => {
    const text = INVOICING.replace('numbers: "ZR-{year}-{number:6}"', 'numbers: "A{number}"\n  firstNumber: 900');
    const seller = catalogueOf(`sponsors: []\napplications: []\nplans: []\n${text}`).invoicing;
    const terms = (id: string) => ({
      ...termsIn(CATALOGUE, id),
      ...(seller && { terms: { invoicing: seller, buyer: CATALOGUE.sponsors[0].buyer } }),
    });
    const nowMs = Date.UTC(2027, 2, 1);
    const request = { nowMs, terms: terms('usd') as ReturnType<typeof termsIn> };
    expect(closingOf(await close('usd', '2026-12', request)).invoiceNumber).toBe('A900');
    await booker.book([use('2026-11-02', 'kwd', 1_000_000), use('2026-12-05', 'kwd', 1_000_000)], '2027-01-06', {
      catalogue: CATALOGUE,
    });
    expect(closingOf(await close('kwd', '2026-11', request)).invoiceNumber).toBe('A901');
    const clash = { ...request.terms.terms, invoicing: { ...seller, numbers: 'A9{number:2}' } };
    const asked = close('kwd', '2026-12', {
      nowMs,
      terms: { terms: { ...clash, invoicing: { ...clash.invoicing, firstNumber: 1 } } } as never,
    });
    await expect(asked).rejects.toThrow('makes A901, which another series has already');
  });
});

describe('numbers are given exactly once', () => {
  const SPONSORS = ['aa', 'bb', 'cc', 'dd'];
  const MANY = invoicedCatalogue(
    SPONSORS.map((id) => ({ id, currency: 'EUR', buyer: buyer('{ category: S, rate: "19" }') })),
  );
  const DOWN = new StoreError('store_unreachable', 'down', { canRetry: false });

  beforeAll(async () => {
    opened = await OPEN_STORE.http();
    booker = new Booker(opened.store, 'flows');
    const uses = ['2026-08-03', '2026-09-03', '2026-10-03'].flatMap((day) =>
      SPONSORS.map((id) => use(day, id, 1_500_000)),
    );
    await booker.book(uses, '2026-11-01', { catalogue: MANY });
  });
  afterAll(() => opened?.close());

  test('by closings that race', async () => {
    const racers = [...SPONSORS.map((id) => close(id, '2026-08')), close('aa', '2026-08', { who: 'Bob' })];
    const outcomes = await Promise.all(racers);
    expect(outcomes.filter(({ outcome }) => outcome === 'closed')).toHaveLength(SPONSORS.length);
    expect(await numbers()).toEqual(SPONSORS.map((_, at) => `ZR-2027-${String(at + 1).padStart(6, '0')}`));
  });

  test('by a process that dies before or after its insert has landed', async () => {
    const dying = (lands: boolean): Store => ({
      ...opened.store,
      async insertBlock(...args) {
        if (lands) await opened.store.insertBlock(...args);
        throw DOWN;
      },
      query: opened.store.query,
    });
    const request = { sponsorId: 'aa', month: '2026-09', who: 'Ada', nowMs: NOW_MS };
    await expect(closeMonth(dying(false), request)).rejects.toBe(DOWN);
    expect(await numbers()).toHaveLength(4);
    expect(await balance('aa')).toBeLessThan(0n);
    const exact = await balance('aa');
    // Its answer is lost with it; the account has rounding and tax because the closing is booked.
    await closeMonth(dying(true), request).catch(() => {});
    expect(await numbers()).toHaveLength(5);
    const posted = await balance('aa');
    expect(posted).toBeLessThan(exact);
    const again = await close('aa', '2026-09', { who: 'Bob' });
    expect(again).toMatchObject({ outcome: 'already_closed', closing: { invoiceNumber: 'ZR-2027-000005' } });
    expect(await balance('aa')).toBe(posted);
  });

  test('a stale look at the series books nothing', async () => {
    let looks = 0;
    const stale: Store = {
      ...opened.store,
      async query<T>(sql: string): Promise<T[]> {
        const rows = await opened.store.query<T>(sql);
        // A replica that lags behind shows the series as it was.
        if (!sql.includes('max(invoice_sequence)') || looks++ > 0) return rows;
        return [{ last: '3' }] as T[];
      },
    };
    await closeMonth(stale, { sponsorId: 'bb', month: '2026-09', who: 'Ada', nowMs: NOW_MS });
    expect(looks).toBe(2);
    expect(await numbers()).toEqual(Array.from({ length: 6 }, (_, at) => `ZR-2027-${String(at + 1).padStart(6, '0')}`));
  });

  test('a month closed by a version that posted no rounding stays as it was, and the next closing includes its remainder', async () => {
    await close('dd', '2026-09');
    await opened.store.command(
      'ALTER TABLE closings UPDATE amount_due_micros = NULL, taxable_micros = 0, tax_micros = 0, rounding_micros = 0, ' +
        "invoice_number = '', invoice_series = '', invoice_sequence = 0, invoice = '', " +
        'closing_micros = opening_micros + credit_micros - charge_micros - adjustment_micros ' +
        "WHERE sponsor_id = 'dd' AND month = '2026-09-01' SETTINGS mutations_sync = 2",
    );
    const before = await readStatement(opened.store, 'dd', '2026-09');
    expect(before).toMatchObject({ due: null, invoice: null });
    expect(before.totals.closingMicros % 10_000n).not.toBe(0n);
    closingOf(await close('dd', '2026-10'));
    expect((await balance('dd')) % 10_000n).toBe(0n);
    expect((await readStatement(opened.store, 'dd', '2026-10')).totals.closingMicros).toBe(await balance('dd'));
  });

  test('entries finer than the currency’s unit leave no remainder', async () => {
    await bookEntry(opened.store, {
      number: 1,
      sponsorId: 'cc',
      currency: 'EUR',
      kind: 'adjustment',
      amountMicros: 1_234,
      effectiveAt: '2026-09-05T00:00:00Z',
    });
    closingOf(await close('cc', '2026-09'));
    closingOf(await close('cc', '2026-10'));
    expect((await readStatement(opened.store, 'cc', '2026-10')).totals.closingMicros % 10_000n).toBe(0n);
    expect((await balance('cc')) % 10_000n).toBe(0n);
  });
});
