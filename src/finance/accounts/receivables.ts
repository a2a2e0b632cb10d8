import type { Month } from '../month.ts';

const DAY_MS = 86_400_000;

/** The bill of a closed month. */
export interface Bill {
  month: Month;
  /** Day on which the month was closed, as `2026-11-02`. */
  closedOn: string;
  /** Micro-units; below 0: a credit bill. */
  amountMicros: bigint;
}

export interface Receivables {
  /** Unpaid, of closed months: the sum of `byAge`. */
  dueMicros: bigint;
  /** Charged and unpaid, and not billed yet. */
  unbilledMicros: bigint;
  /** Paid beyond everything that was charged. */
  creditMicros: bigint;
  byAge: readonly { name: string; micros: bigint }[];
}

const AGES = [
  { name: '0 to 30 days', upToDays: 30 },
  { name: '31 to 60 days', upToDays: 60 },
  { name: '61 to 90 days', upToDays: 90 },
  { name: 'over 90 days', upToDays: Number.POSITIVE_INFINITY },
];

/**
 * Returns what a sponsor owes, by the days since its months were closed. Credits pay the oldest bill first, and unbilled
 * charges last. due + unbilled - credit = charged - credited, to the micro-unit.
 */
export function receivablesOf(
  { creditedMicros, chargedMicros }: { creditedMicros: bigint; chargedMicros: bigint },
  bills: readonly Bill[],
  nowMs: number,
): Receivables {
  const open = bills.filter(({ amountMicros }) => amountMicros > 0n).sort((a, b) => (a.month < b.month ? -1 : 1));
  const billedMicros = open.reduce((sum, { amountMicros }) => sum + amountMicros, 0n);
  const paidBack = bills.reduce((sum, { amountMicros }) => sum + (amountMicros < 0n ? -amountMicros : 0n), 0n);
  // Unbilled charges; below 0 where corrections since have reversed more than was charged.
  const unbilled = chargedMicros - billedMicros + paidBack;
  const credits = creditedMicros + paidBack;
  let credit = positive(credits) + positive(-unbilled);
  const pay = (micros: bigint) => {
    const paid = micros < credit ? micros : credit;
    credit -= paid;
    return micros - paid;
  };
  const left = open.map(({ closedOn, amountMicros }) => ({
    ageDays: Math.floor((nowMs - Date.parse(closedOn)) / DAY_MS),
    micros: pay(amountMicros),
  }));
  const unbilledMicros = pay(positive(unbilled) + positive(-credits));
  const byAge = AGES.map(({ name, upToDays }, at) => {
    const fromDays = at === 0 ? Number.NEGATIVE_INFINITY : AGES[at - 1].upToDays;
    const aged = left.filter(({ ageDays }) => ageDays > fromDays && ageDays <= upToDays);
    return { name, micros: aged.reduce((sum, { micros }) => sum + micros, 0n) };
  });
  const dueMicros = left.reduce((sum, { micros }) => sum + micros, 0n);
  return { dueMicros, unbilledMicros, creditMicros: credit, byAge };
}

function positive(micros: bigint): bigint {
  return micros > 0n ? micros : 0n;
}
