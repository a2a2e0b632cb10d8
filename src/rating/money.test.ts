import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatMicros, parseMicros } from './money.ts';

test.each([
  ['0', 0],
  ['0.20', 200_000],
  ['11.999999', 11_999_999],
  ['-1.5', -1_500_000],
  ['9007199254.740991', Number.MAX_SAFE_INTEGER],
])('%s is %d micros', (text, micros) => {
  expect(parseMicros(text)).toBe(micros);
});

test('minus nothing is nothing', () => {
  expect(Object.is(parseMicros('-0.0'), 0)).toBe(true);
});

test.each([
  '',
  ' 1',
  '1 ',
  '.5',
  '1.',
  '01',
  '+1',
  '1e3',
  '1,5',
  '0x1',
  '0.1234567',
  '9007199254.740992',
  '9'.repeat(400),
  '１',
])('refuses %j', (text) => {
  expect(parseMicros(text)).toBeNull();
});

test.each([
  [17_000, undefined, '0.017'],
  [12_500_000, undefined, '12.5'],
  [12_500_000, 'EUR', '12.50 EUR'],
  [12_345_678, 'EUR', '12.345678 EUR'],
  [3_000_000, 'JPY', '3 JPY'],
  [3_500_000, 'JPY', '3.5 JPY'],
  [1_000_000, 'KWD', '1.000 KWD'],
  [-1, undefined, '-0.000001'],
  [0, 'USD', '0.00 USD'],
  [9_223_372_036_854_775_807n, undefined, '9223372036854.775807'],
])('%d %s is written %s', (micros, currency, text) => {
  expect(formatMicros(micros, currency)).toBe(text);
});

test('what is written reads back the same', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.constantFrom(undefined, 'USD', 'JPY', 'KWD'), (micros, currency) => {
      expect(parseMicros(formatMicros(micros, currency).split(' ')[0])).toBe(micros);
    }),
  );
});

test('units and decimals add up', () => {
  fc.assert(
    fc.property(fc.nat(9_007_199_253), fc.nat(999_999), (units, decimals) => {
      expect(parseMicros(`${units}.${String(decimals).padStart(6, '0')}`)).toBe(units * 1_000_000 + decimals);
    }),
  );
});
