const MICROS_DIGITS = 6;
/** Separates groups of three digits: a narrow space without a line break. */
const NARROW_SPACE = '\u2009';
const OCTET_UNITS = ['octets', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Returns micro-units in units of the currency, rounded half away from zero to its own decimals: `-1234.57`; JPY `1235`. */
export function roundedUnits(micros: bigint, minorDigits: number): string {
  const step = 10n ** BigInt(MICROS_DIGITS - minorDigits);
  const minor = (magnitudeOf(micros) + step / 2n) / step;
  return signed(micros < 0n && minor !== 0n, withPoint(minor, minorDigits));
}

/**
 * Returns micro-units in units of the currency, with all six decimals, so that the points of a column are aligned:
 * `1234.567891`.
 */
export function exactUnits(micros: bigint): string {
  return signed(micros < 0n, withPoint(magnitudeOf(micros), MICROS_DIGITS));
}

/** Returns a number as text for people: groups of three digits before its point, and a true minus. */
export function groupDigits(number: string | bigint | number): string {
  const [units, decimals] = String(number).split('.');
  const grouped = units.replace('-', '−').replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE);
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** Returns a count with its noun: `1 record`, `12 records`, `2 entries`. */
export function shownCount(count: number | bigint, one: string, many = `${one}s`): string {
  return `${groupDigits(count)} ${BigInt(count) === 1n ? one : many}`;
}

/** Returns octets to three digits or more, in a unit of 2^10, 2^20 and so on: `1.23 GiB`. */
export function roundedOctets(octets: bigint): string {
  let value = Number(octets);
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < OCTET_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const decimals = unit === 0 || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${groupDigits(value.toFixed(decimals))} ${OCTET_UNITS[unit]}`;
}

function magnitudeOf(micros: bigint): bigint {
  return micros < 0n ? -micros : micros;
}

function signed(isNegative: boolean, text: string): string {
  return isNegative ? `-${text}` : text;
}

function withPoint(minor: bigint, decimals: number): string {
  if (decimals === 0) return String(minor);
  const digits = String(minor).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}
