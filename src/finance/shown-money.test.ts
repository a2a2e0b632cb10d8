import { expect, test } from 'vitest';
import { minorDigitsOf } from '../rating/catalogue/currencies.ts';
import { exactUnits, groupDigits, roundedOctets, roundedUnits } from './shown-money.ts';

test.each<[currency: string, micros: bigint, shown: string]>([
  ['JPY', 499_999n, '0'],
  ['JPY', 500_000n, '1'],
  ['JPY', -500_000n, '-1'],
  ['JPY', -499_999n, '0'],
  ['JPY', 13_181_145_801n, '13181'],
  ['USD', 4_999n, '0.00'],
  ['USD', 5_000n, '0.01'],
  ['USD', -5_000n, '-0.01'],
  ['USD', 1_234_565_000n, '1234.57'],
  ['USD', 1_234_564_999n, '1234.56'],
  ['USD', -1_234_565_000n, '-1234.57'],
  ['KWD', 499n, '0.000'],
  ['KWD', 500n, '0.001'],
  ['KWD', 12_345_678_499n, '12345.678'],
  ['KWD', 2n ** 63n, '9223372036854.776'],
])('%s: %d micro-units are shown as %s', (currency, micros, shown) => {
  expect(roundedUnits(micros, minorDigitsOf(currency))).toBe(shown);
});

test('exact money has all of its six decimals', () => {
  expect([0n, 1n, -1n, 1_000_000n, -12_345_678_901n].map(exactUnits)).toEqual([
    '0.000000',
    '0.000001',
    '-0.000001',
    '1.000000',
    '-12345.678901',
  ]);
});

test('digits are in groups of three before the point', () => {
  const plain = (text: string) => groupDigits(text).replaceAll('\u2009', ' ');
  expect(['1', '123', '1234', '-1234567.1234567', '-123'].map(plain)).toEqual([
    '1',
    '123',
    '1 234',
    '−1 234 567.1234567',
    '−123',
  ]);
});

test('octets are rounded to three digits', () => {
  const shown = [0n, 1023n, 1024n, 10_300n, 200_000n, 2n ** 30n, 5n * 2n ** 52n].map(roundedOctets);
  expect(shown).toEqual(['0 octets', '1\u2009023 octets', '1.00 KiB', '10.1 KiB', '195 KiB', '1.00 GiB', '20.0 PiB']);
});
