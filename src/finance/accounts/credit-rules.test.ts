import { expect, test } from 'vitest';
import { creditDecision, creditReason, resumptionText, suspendedBy } from './credit-rules.ts';

const SPONSOR = { id: 'chatter', name: 'Chatter', currency: 'USD', minorDigits: 2, creditLimitMicros: 1000 };
const BY_WATCHER = { kind: 'suspension', who: 'credit watcher', idempotencyKey: 'credit-chatter-7' };

test.each([
  ['none', undefined],
  ['none', { ...BY_WATCHER, kind: 'resumption' }],
  ['watcher', BY_WATCHER],
  ['hand', { ...BY_WATCHER, who: 'alice' }],
  ['hand', { ...BY_WATCHER, idempotencyKey: 'legal-17' }],
  ['hand', { kind: 'suspension', who: '', idempotencyKey: '' }],
] as const)('suspended by %s', (by, last) => {
  expect(suspendedBy(last)).toBe(by);
});

test.each([
  [-1000n, 'none', null],
  [-1001n, 'none', 'suspension'],
  [-(2n ** 60n), 'none', 'suspension'],
  [-1001n, 'watcher', null],
  [-1001n, 'hand', null],
  [-1000n, 'watcher', 'resumption'],
  [0n, 'watcher', 'resumption'],
  [0n, 'hand', null],
  [0n, 'none', null],
] as const)('a balance of %d where the limit is 1000, suspended by %s: %s', (balanceMicros, by, kind) => {
  expect(creditDecision(SPONSOR, balanceMicros, by)).toBe(kind);
});

test('a limit of 0 suspends at the first micro-unit that is owed', () => {
  expect(creditDecision({ creditLimitMicros: 0 }, 0n, 'none')).toBeNull();
  expect(creditDecision({ creditLimitMicros: 0 }, -1n, 'none')).toBe('suspension');
});

test('the reason has the exact balance and limit', () => {
  expect(creditReason(SPONSOR, -1001n)).toBe('balance -0.001001 USD is past the credit limit of 0.001 USD');
  expect(creditReason(SPONSOR, -1000n)).toBe('balance -0.001 USD is within the credit limit of 0.001 USD');
  expect(creditReason(SPONSOR, 5_000_000n)).toBe('balance 5.00 USD is within the credit limit of 0.001 USD');
});

const AT_LIMIT = -1000n;
test.each([
  ['watcher', AT_LIMIT - 1n, /^automatically with 0\.01 USD more .*watch --once/],
  ['watcher', AT_LIMIT - 12_345_678n, /^automatically with 12\.35 USD more /],
  ['watcher', AT_LIMIT, /^automatically: the balance is within its limit/],
  [
    'hand',
    AT_LIMIT - 10_000n,
    /^by hand, with `zerorate account resume --sponsor chatter`; its limit needs 0\.01 USD more /,
  ],
  ['hand', AT_LIMIT, /^by hand alone, with `zerorate account resume --sponsor chatter`.*no payment resumes it$/],
] as const)('suspended by %s at a balance of %d: what resumes it', (by, balanceMicros, text) => {
  expect(resumptionText(SPONSOR, balanceMicros, by)).toMatch(text);
});

test('the least payment is of whole units of the currency, and enough', () => {
  const yen = { ...SPONSOR, currency: 'JPY', minorDigits: 0, creditLimitMicros: 0 };
  expect(resumptionText(yen, -1n, 'watcher')).toContain('with 1 JPY more');
  expect(creditDecision(yen, -1n + 1_000_000n, 'watcher')).toBe('resumption');
});
