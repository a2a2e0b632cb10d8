import { minorDigitsOf } from './catalogue/currencies.ts';

const MICROS_DIGITS = 6;
const MICROS_PER_UNIT = 10n ** BigInt(MICROS_DIGITS);
const DECIMAL_TEXT = /^(-?)(0|[1-9]\d*)(?:\.(\d{1,6}))?$/;

/** Money as decimal text, at most 6 decimals, to whole micro-units. Null if it is none or not exact in a double. */
export function parseMicros(text: string): number | null {
  const match = DECIMAL_TEXT.exec(text);
  if (match === null) return null;
  const [, sign, units, decimals = ''] = match;
  const micros = Number(BigInt(units) * MICROS_PER_UNIT + BigInt(decimals.padEnd(6, '0')));
  if (!Number.isSafeInteger(micros)) return null;
  return sign === '-' && micros !== 0 ? -micros : micros;
}

/** Whether an amount is of whole smallest units of a currency with so many decimals, as a bank transfers it. */
export function isWholeUnits(micros: number, minorDigits: number): boolean {
  return micros % 10 ** (MICROS_DIGITS - minorDigits) === 0;
}

/**
 * Micro-units as exact decimal text: `0.017`. With a currency, which is named, at least as many decimals as it has:
 * `12.50 EUR`, `3 JPY`. A bigint takes ClickHouse's 64 bit sums.
 */
export function formatMicros(micros: number | bigint, currency?: string): string {
  const value = BigInt(micros);
  const magnitude = value < 0n ? -value : value;
  const digits = String(magnitude % MICROS_PER_UNIT).padStart(6, '0');
  const decimals = digits.replace(/0+$/, '').padEnd(currency === undefined ? 0 : minorDigitsOf(currency), '0');
  const text = `${value < 0n ? '-' : ''}${magnitude / MICROS_PER_UNIT}${decimals === '' ? '' : `.${decimals}`}`;
  return currency === undefined ? text : `${text} ${currency}`;
}
