const MICROS_DIGITS = 6;
/** A tax rate is a percentage with at most four decimals. */
const RATE_DECIMALS = 4;
const RATE_DIVISOR = 100n * 10n ** BigInt(RATE_DECIMALS);

/** What a month adds to an account. Micro-units; credits are positive. */
export interface MonthOfAccount {
  openingMicros: bigint;
  /** All account entries of the month. */
  creditMicros: bigint;
  /** Of these, payments and top-ups: they pay what earlier statements billed. */
  paidMicros: bigint;
  /** Charges and adjustments, and flat fees and shortfalls less rebates. */
  totalMicros: bigint;
  /** Decimals of the currency. */
  minorDigits: number;
  /** Percent, as `19` or `8.875`; null: no tax is charged. */
  taxRate: string | null;
}

/**
 * What a statement bills, and what its closing posts beside it. Micro-units; whole units of the currency but for the
 * rounding.
 */
export interface AmountDue {
  taxableMicros: bigint;
  taxMicros: bigint;
  /** Posted to the account, credits positive: with it the closing balance is a whole number of the currency's units. */
  roundingMicros: bigint;
  amountDueMicros: bigint;
  closingMicros: bigint;
}

/** Returns micro-units rounded to the currency's own unit, half away from zero. */
export function roundToUnit(micros: bigint, minorDigits: number): bigint {
  const unit = 10n ** BigInt(MICROS_DIGITS - minorDigits);
  const magnitude = micros < 0n ? -micros : micros;
  const rounded = ((magnitude + unit / 2n) / unit) * unit;
  return micros < 0n ? -rounded : rounded;
}

/** Returns the tax on a taxable amount, rounded to the currency's unit, half away from zero. */
export function taxOf(taxableMicros: bigint, rate: string | null, minorDigits: number): bigint {
  if (rate === null) return 0n;
  const [units, decimals = ''] = rate.split('.');
  const scaled = BigInt(units + decimals.padEnd(RATE_DECIMALS, '0')) * taxableMicros;
  const unit = 10n ** BigInt(MICROS_DIGITS - minorDigits) * RATE_DIVISOR;
  const magnitude = scaled < 0n ? -scaled : scaled;
  const rounded = ((magnitude + unit / 2n) / unit) * (unit / RATE_DIVISOR);
  return scaled < 0n ? -rounded : rounded;
}

/**
 * Returns the amount due of a statement: what the account owes after it, less what earlier statements bill and is not paid.
 * Every debt is billed by exactly one statement, and credit reduces the next one. When all of them are paid, nothing is
 * owed.
 */
export function amountDueOf(month: MonthOfAccount): AmountDue {
  const { openingMicros, creditMicros, paidMicros, totalMicros, minorDigits, taxRate } = month;
  const taxableMicros = roundToUnit(totalMicros, minorDigits);
  const taxMicros = taxOf(taxableMicros, taxRate, minorDigits);
  const closingMicros = roundToUnit(openingMicros + creditMicros, minorDigits) - taxableMicros - taxMicros;
  const owedMicros = atLeast0(-closingMicros);
  const unpaidMicros = roundToUnit(atLeast0(atLeast0(-openingMicros) - paidMicros), minorDigits);
  return {
    taxableMicros,
    taxMicros,
    roundingMicros: closingMicros - (openingMicros + creditMicros - totalMicros - taxMicros),
    amountDueMicros: owedMicros - (unpaidMicros < owedMicros ? unpaidMicros : owedMicros),
    closingMicros,
  };
}

function atLeast0(micros: bigint): bigint {
  return micros < 0n ? 0n : micros;
}
