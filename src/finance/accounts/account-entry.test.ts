import { expect, test } from 'vitest';
import { checkEntry, type EntryRequest } from './account-entry.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const SPONSOR = { id: 'chatter', name: 'Chatter', currency: 'USD', minorDigits: 2, creditLimitMicros: 0 };
const TOP_UP: EntryRequest = {
  kind: 'top-up',
  idempotencyKey: 'bank-1',
  who: 'alice',
  why: 'transfer',
  amount: '100.00',
  currency: 'USD',
};
const { amount: _, currency: __, ...SUSPENSION } = { ...TOP_UP, kind: 'suspension' as const };

test.each<[string, Partial<EntryRequest>, number]>([
  ['whole units', { amount: '100' }, 100_000_000],
  ['the smallest unit', { amount: '0.01' }, 10_000],
  ['units with zeros behind', { amount: '0.0100' }, 10_000],
  ['an adjustment of a micro-unit', { kind: 'adjustment', amount: '-0.000001' }, -1],
  ['the greatest amount', { kind: 'adjustment', amount: '9007199254.740991' }, Number.MAX_SAFE_INTEGER],
  ['a payment', { kind: 'payment' }, 100_000_000],
  ['a rebate', { kind: 'rebate' }, 100_000_000],
  ['an adjustment that credits', { kind: 'adjustment' }, 100_000_000],
  ['an adjustment that takes back', { kind: 'adjustment', amount: '-0.5' }, -500_000],
  ['an earlier instant', { effectiveAtMs: 0 }, 100_000_000],
  ['this very instant', { effectiveAtMs: NOW_MS }, 100_000_000],
])('%s may be booked', (_, change, amountMicros) => {
  const request = { ...TOP_UP, ...change };
  expect(checkEntry(request, SPONSOR, NOW_MS)).toEqual({
    entry: {
      kind: request.kind,
      idempotencyKey: 'bank-1',
      sponsorId: 'chatter',
      currency: 'USD',
      amountMicros,
      effectiveAtMs: change.effectiveAtMs ?? null,
      who: 'alice',
      why: 'transfer',
    },
  });
});

test('a suspension is an entry of 0, in the sponsor’s currency', () => {
  const { entry } = checkEntry(SUSPENSION, SPONSOR, NOW_MS);
  expect(entry).toMatchObject({ kind: 'suspension', amountMicros: 0, currency: 'USD', effectiveAtMs: null });
});

test.each<[string, string, Partial<EntryRequest>]>([
  ['text_missing', 'no key', { idempotencyKey: '' }],
  ['text_missing', 'no author', { who: ' ' }],
  ['text_missing', 'no reason', { why: '\t' }],
  ['text_unprintable', 'two lines', { why: 'a\nb' }],
  ['text_unprintable', 'half a letter', { idempotencyKey: '\ud800' }],
  ['text_too_long', 'a novel', { why: 'x'.repeat(1001) }],
  ['text_too_long', 'a long key', { idempotencyKey: 'x'.repeat(201) }],
  ['reserved', 'the watcher’s name', { who: 'credit watcher' }],
  ['reserved', 'the watcher’s keys', { idempotencyKey: 'credit-chatter-1' }],
  ['amount_unreadable', 'more digits than micro-units', { amount: '0.0000001' }],
  ['amount_unreadable', 'more than a double holds', { amount: '9007199254.740992' }],
  ['amount_unreadable', 'a comma', { amount: '100,00' }],
  ['amount_unreadable', 'no number', { amount: 'NaN' }],
  ['amount_zero', 'nothing', { amount: '0.00' }],
  ['amount_zero', 'an adjustment by nothing', { kind: 'adjustment', amount: '-0' }],
  ['amount_not_positive', 'a top-up below 0', { amount: '-1' }],
  ['amount_not_positive', 'a payment below 0', { kind: 'payment', amount: '-1' }],
  ['amount_not_positive', 'a rebate below 0', { kind: 'rebate', amount: '-1' }],
  ['amount_too_fine', 'a top-up of a tenth of a cent', { amount: '0.001' }],
  ['amount_too_fine', 'a payment of a micro-unit', { kind: 'payment', amount: '100.000001' }],
  ['amount_too_fine', 'a rebate of half a cent', { kind: 'rebate', amount: '0.005' }],
  ['currency_foreign', 'another currency', { currency: 'EUR' }],
  ['currency_foreign', 'the currency in small letters', { currency: 'usd' }],
  ['effective_out_of_range', 'an instant to come', { effectiveAtMs: NOW_MS + 1 }],
  ['effective_out_of_range', 'an instant before 1970', { effectiveAtMs: -1 }],
])('%s: %s', (reason, _, change) => {
  const { entry, refusal } = checkEntry({ ...TOP_UP, ...change }, SPONSOR, NOW_MS);
  expect(entry).toBeUndefined();
  expect(refusal?.reason).toBe(reason);
  expect(refusal?.message).toMatch(/^(key|who|why|amount|currency|effective): .+/);
});

test.each([
  ['JPY', 0, '1', '0.5', '1 JPY'],
  ['KWD', 3, '0.001', '0.0005', '0.001 KWD'],
  ['CLF', 4, '0.0001', '0.00001', '0.0001 CLF'],
  ['XAU', 6, '0.000001', null, ''],
] as const)(
  'a payment in %s, of %d decimals, may be %s and not %s',
  (currency, minorDigits, whole, finer, smallest) => {
    const check = (amount: string) =>
      checkEntry({ ...TOP_UP, kind: 'payment', currency, amount }, { ...SPONSOR, currency, minorDigits }, NOW_MS);
    expect(check(whole).refusal).toBeUndefined();
    if (finer !== null) expect(check(finer).refusal?.message).toContain(`whole units of ${smallest}`);
  },
);

test.each(['amount', 'currency'] as const)('money without its %s is refused', (field) => {
  const { [field]: _, ...rest } = TOP_UP;
  expect(checkEntry(rest, SPONSOR, NOW_MS).refusal?.reason).toBe(`${field}_missing`);
});
