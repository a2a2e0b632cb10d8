import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { literal } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { checkEntry } from '../accounts/account-entry.ts';
import { bookEntry } from '../accounts/book-entry.ts';
import { closeMonth } from '../closing/close-month.ts';
import { type Month, monthAfter, startOfMonthMs } from '../month.ts';
import { recordsOf, YearBooker } from '../year.fixture.ts';
import { catalogueOf } from './finance.fixture.ts';
import { readStatement } from './statement.ts';
import { statementHtml } from './statement-html.ts';

const SEED = 4217;
const RECORDS_PER_MONTH = 500;
const LIMIT_MS = 900_000;
const NOW_MS = Date.UTC(2027, 5, 1);
/** Decimals of the standard, not of the program. */
const CURRENCIES: readonly (readonly [code: string, decimals: number])[] = [
  ['JPY', 0],
  ['KRW', 0],
  ['EUR', 2],
  ['HUF', 2],
  ['KWD', 3],
  ['TND', 3],
  ['CLF', 4],
];
const ZONES = ['UTC', 'Asia/Tokyo', 'America/New_York', 'Europe/Berlin', 'Asia/Kathmandu', 'Pacific/Auckland'];
const SPONSORS = CURRENCIES.map(([currency, decimals]) => ({ id: `s-${currency.toLowerCase()}`, currency, decimals }));
const CATALOGUE = catalogueOf(`
sponsors:
${SPONSORS.map(({ id, currency }) => `  - { id: ${id}, name: "${currency} & sons", currency: ${currency}, creditLimit: "1000000" }`).join('\n')}
applications:
${SPONSORS.map(({ id }) => `  - { id: app-${id}, sponsor: ${id}, match: tag, tags: [T-${id}] }`).join('\n')}
plans:
${SPONSORS.map(
  ({ id }, at) => `  - id: plan-${id}
    application: app-${id}
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: ${['day', 'week', 'month'][at % 3]}
    timeZone: ${ZONES[at % ZONES.length]}
    content: { text: 10000, voice: 5000, image: 3333, video: ${10_000 - at}, other: 10000, unknown: 7777 }
    quotaOctets: null
    tiers: [{ upToOctets: ${1_000_000 + at}, pricePerMiB: "1.123457" }, { upToOctets: null, pricePerMiB: "0.054321" }]`,
).join('\n')}
monthlyTerms:
  - { id: yen, version: 1, sponsor: s-jpy, effectiveFrom: 2026-03-01, effectiveTo: null, flatFee: "100", minimumCommitment: "2000" }
  - { id: dinar, version: 1, sponsor: s-kwd, effectiveFrom: 2026-03-01, effectiveTo: null, flatFee: "0.125",
      volumeRebate: { appliesTo: charges_in_band, bands: [{ fromOctets: 1000000, basisPoints: 333 }, { fromOctets: 5000000, basisPoints: 777 }] } }
  - { id: unidad, version: 1, sponsor: s-clf, effectiveFrom: 2026-03-01, effectiveTo: 2026-10-01, minimumCommitment: "123.4567",
      volumeRebate: { appliesTo: all_charges, bands: [{ fromOctets: 0, basisPoints: 1 }] } }
`);
/** The amount due and its postings come with the migration for invoices. */
const HAS_AMOUNT_DUE = readdirSync(packagePath('schemas/clickhouse')).some((name) => name.endsWith('_invoices.sql'));

let opened: OpenedStore;
const chargedMicros = new Map<string, bigint>();
const paid: { sponsorId: string; month: Month; micros: bigint }[] = [];

async function bookMonths(booker: YearBooker, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    const month = `2026-${String(at + 1).padStart(2, '0')}`;
    const messages = recordsOf(CATALOGUE, month, SEED * 100 + at, RECORDS_PER_MONTH);
    await booker.book(messages, startOfMonthMs(month), ({ sponsorId, chargeMicros }) =>
      chargedMicros.set(sponsorId, (chargedMicros.get(sponsorId) ?? 0n) + chargeMicros),
    );
  }
}

/** Closes every month up to one, and pays each bill on the first day after it, as a bank transfer. */
async function closeAndPay(sponsor: (typeof SPONSORS)[number], upTo: Month): Promise<void> {
  const { id: sponsorId, currency, decimals } = sponsor;
  const [{ first }] = await opened.store.query<{ first: string }>(
    `SELECT if((SELECT count() FROM closings WHERE sponsor_id = ${literal(sponsorId)}) = 0, ` +
      `(SELECT min(month) FROM bookings WHERE sponsor_id = ${literal(sponsorId)}), ` +
      `(SELECT max(month) FROM closings WHERE sponsor_id = ${literal(sponsorId)}) + INTERVAL 1 MONTH) AS first`,
  );
  for (let month = String(first).slice(0, 7); month <= upTo; month = monthAfter(month)) {
    const closed = await closeMonth(opened.store, { sponsorId, month, who: 'Ada', nowMs: NOW_MS });
    expect(closed.outcome).toBe('closed');
    const [{ due }] = await opened.store.query<{ due: string }>(
      `SELECT toString(amount_due_micros) AS due FROM closings WHERE sponsor_id = ${literal(sponsorId)} AND month = '${month}-01'`,
    );
    const micros = BigInt(due);
    paid.push({ sponsorId, month, micros });
    if (micros === 0n) continue;
    const sponsorOf = CATALOGUE.sponsors.find(({ id }) => id === sponsorId);
    if (sponsorOf === undefined) throw new Error(`no sponsor ${sponsorId}`);
    const amount = printed(micros, decimals);
    const request = { kind: 'payment' as const, idempotencyKey: `${sponsorId} ${month}`, who: 'bank', why: 'paid' };
    const effectiveAtMs = startOfMonthMs(monthAfter(month));
    const { entry, refusal } = checkEntry({ ...request, amount, currency, effectiveAtMs }, sponsorOf, NOW_MS);
    if (entry === undefined) throw new Error(refusal.message);
    expect(entry.amountMicros).toBe(Number(micros));
    expect(await bookEntry(opened.store, entry, systemClock)).toMatchObject({ outcome: 'booked' });
  }
}

/** Returns whole units of a currency as text; throws for anything finer. */
function printed(micros: bigint, decimals: number): string {
  const unit = 10n ** BigInt(6 - decimals);
  expect(micros % unit).toBe(0n);
  const text = String(micros / unit).padStart(decimals + 1, '0');
  return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

describe.runIf(HAS_AMOUNT_DUE)('a year of seven currencies that is closed and paid', () => {
  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
    const booker = new YearBooker(opened.store, CATALOGUE);
    // Late records in the second half belong to closed months: adjustments.
    await bookMonths(booker, 0, 6);
    for (const sponsor of SPONSORS) await closeAndPay(sponsor, '2026-05');
    await bookMonths(booker, 6, 12);
    for (const sponsor of SPONSORS) await closeAndPay(sponsor, '2027-01');
  }, LIMIT_MS);
  afterAll(() => opened?.close());

  test.each(SPONSORS)(
    'paying every bill of $id brings its account to exactly 0',
    async ({ id }) => {
      const [{ balance, rounding, terms }] = await opened.store.query<Record<'balance' | 'rounding' | 'terms', string>>(
        `SELECT (SELECT toString(sum(balance_micros)) FROM account_balances WHERE sponsor_id = ${literal(id)}) AS balance, ` +
          `(SELECT toString(sum(rounding_micros)) FROM closings WHERE sponsor_id = ${literal(id)}) AS rounding, ` +
          '(SELECT toString(sum(flat_fee_micros + shortfall_micros - volume_rebate_micros)) FROM closings ' +
          `WHERE sponsor_id = ${literal(id)}) AS terms`,
      );
      expect(balance).toBe('0');
      const bills = paid.filter(({ sponsorId }) => sponsorId === id);
      expect(bills.length).toBeGreaterThan(11);
      // Charges are computed from the records a second time: bills and posted rounding add up to them, to the micro-unit.
      const sum = bills.reduce((sum, { micros }) => sum + micros, 0n);
      expect(sum + BigInt(rounding) - BigInt(terms)).toBe(chargedMicros.get(id));
      expect(terms !== '0').toBe(['s-jpy', 's-kwd', 's-clf'].includes(id));
      expect(sum).toBeGreaterThan(0n);
    },
    LIMIT_MS,
  );

  test('what the closings posted of monthly terms equals a second computation', async () => {
    for await (const fault of auditFacts(opened.store)) expect(fault).toBeUndefined();
  });

  test.each(SPONSORS)(
    'the statement of $id prints the amount due',
    async ({ id, decimals }) => {
      const bill = paid.find(({ sponsorId, month }) => sponsorId === id && month === '2026-08');
      if (bill === undefined) throw new Error('no bill');
      const text = statementHtml(await readStatement(opened.store, id, '2026-08')).replaceAll(/[\u2009\s]/g, '');
      expect(text).toContain(`>${printed(bill.micros, decimals)}<`);
    },
    LIMIT_MS,
  );
});

test('the decimals are those of the standard, in seven currencies and six zones', () => {
  expect(CATALOGUE.sponsors.map(({ currency, minorDigits }) => [currency, minorDigits])).toEqual(CURRENCIES);
  expect(new Set(CATALOGUE.plans.map(({ timeZone }) => timeZone)).size).toBe(6);
});
