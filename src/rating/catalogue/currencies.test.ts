import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { CURRENCIES_PUBLISHED, isCurrency, minorDigitsOf } from './currencies.ts';

const CODES = Array.from({ length: 26 ** 3 }, (_, at) =>
  [at / 676, at / 26, at].map((letter) => String.fromCharCode(65 + (Math.floor(letter) % 26))).join(''),
);
/** What ISO has changed since the copy was published (amendments 176 to 180). */
const ADDED_SINCE = ['XAD', 'XCG'];
const LAST_COPY = '2024-06-25';

/** Code and decimals of list one as the maintenance agency publishes it; null: no minor unit. */
function publishedList(): { published: string; decimals: Map<string, number | null> } {
  const folder = dirname(createRequire(import.meta.url).resolve('currency-codes/package.json'));
  const xml = readFileSync(join(folder, 'iso-4217-list-one.xml'), 'utf8');
  const entries = xml.matchAll(/<Ccy>([A-Z]{3})<\/Ccy>\s*<CcyNbr>\d+<\/CcyNbr>\s*<CcyMnrUnts>([^<]+)</g);
  return {
    published: /Pblshd="([^"]+)"/.exec(xml)?.[1] ?? '',
    decimals: new Map([...entries].map(([, code, units]) => [code, units === 'N.A.' ? null : Number(units)])),
  };
}

test('every currency of the published list has its decimals', () => {
  const { published, decimals } = publishedList();
  expect(published).toBe(LAST_COPY);
  expect(CURRENCIES_PUBLISHED > published).toBe(true);
  expect(decimals.size).toBe(179);
  for (const [code, digits] of decimals) expect([code, minorDigitsOf(code)]).toEqual([code, digits ?? 6]);
});

test('there are no others than those added since, and those withdrawn before', () => {
  const { decimals } = publishedList();
  const others = CODES.filter((code) => isCurrency(code) && !decimals.has(code));
  expect(others).toEqual([...ADDED_SINCE, 'HRK', 'SLL', 'ZWL'].sort());
});

test.each<[string, number]>([
  ...['HUF', 'IDR', 'COP', 'PKR', 'RSD', 'LAK', 'MMK', 'ALL', 'LBP'].map((code): [string, number] => [code, 2]),
  ['IQD', 3],
  ['JPY', 0],
  ['CLF', 4],
  ['UYW', 4],
  ['UYI', 0],
  ['XAU', 6],
  ['XDR', 6],
])('%s, which runtimes differ in, has %d decimals', (code, digits) => {
  expect(minorDigitsOf(code)).toBe(digits);
});

test('every currency of this runtime is known, whatever it says of the decimals', () => {
  for (const code of Intl.supportedValuesOf('currency')) expect(isCurrency(code), code).toBe(true);
});

test.each(['', 'usd', 'US', 'USDX', 'QQQ', 'DEM', '__proto__'])('%j is no currency', (code) => {
  expect(isCurrency(code)).toBe(false);
  expect(() => minorDigitsOf(code)).toThrow(RangeError);
});
