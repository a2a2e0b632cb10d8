import { monthOfPeriod } from '../../rating/catalogue/closed-periods.ts';
import type { CurrentCharges, Decision } from './current-charges.ts';
import type { PlanVersions } from './plan-versions.ts';

const DAY_MS = 86_400_000;

/** `evidence` of records that had a current charge before. */
export const HAD_CHARGE = -1;

export interface UsageSums {
  records: bigint;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

/** Current and re-rated charges under one plan version, by month and day. */
export interface DifferenceLine {
  planId: string;
  planVersion: number;
  /** First day of the month that the statistics period begins in, days since 1970-01-01. */
  monthDay: number;
  /** Day of use: of the records' startTime, UTC. */
  usageDay: number;
  /** What names the application of records that had no charge, a place in EVIDENCES; HAD_CHARGE: they had one. */
  newlyBy: number;
  before: UsageSums;
  after: UsageSums;
}

/** Sums current and re-rated charges. Days are below 2^16 and plan versions below 2^21, so a line's key is exact. */
export class Difference {
  readonly #plans: PlanVersions;
  /** By `newlyBy`, and then by plan and days. */
  readonly #lines = new Map<number, Map<number, DifferenceLine>>();
  /** Records in range, and the changed ones among them. */
  records = 0;
  changed = 0;

  constructor(plans: PlanVersions) {
    this.#plans = plans;
  }

  add(charges: CurrentCharges, row: number): void {
    const { records } = charges;
    const usageDay = Math.floor(records.startTimeMs[row] / DAY_MS);
    const octets = records.octets(row);
    const [before, after] = [charges.before(row), charges.after(row)];
    const newlyBy = before === null && after !== null ? after.evidence : HAD_CHARGE;
    if (before !== null) addTo(this.#lineOf(before, usageDay, newlyBy).before, before, octets);
    if (after !== null) addTo(this.#lineOf(after, usageDay, newlyBy).after, after, octets);
    this.records++;
    if (charges.isChanged(row)) this.changed++;
  }

  /** Returns the lines by plan, version, month, day, and evidence of what had no charge. */
  lines(): DifferenceLine[] {
    return [...this.#lines.values()]
      .flatMap((lines) => [...lines.values()])
      .sort(
        (a, b) =>
          compare(a.planId, b.planId) ||
          a.planVersion - b.planVersion ||
          a.monthDay - b.monthDay ||
          a.usageDay - b.usageDay ||
          a.newlyBy - b.newlyBy,
      );
  }

  #lineOf({ plan, periodStart }: Decision, usageDay: number, newlyBy: number): DifferenceLine {
    const monthDay = monthOfPeriod(periodStart);
    const key = (plan * 2 ** 16 + monthDay) * 2 ** 16 + usageDay;
    let lines = this.#lines.get(newlyBy);
    if (lines === undefined) {
      lines = new Map();
      this.#lines.set(newlyBy, lines);
    }
    let line = lines.get(key);
    if (line === undefined) {
      const { planId, version } = this.#plans.at(plan);
      line = { planId, planVersion: version, monthDay, usageDay, newlyBy, before: noUsage(), after: noUsage() };
      lines.set(key, line);
    }
    return line;
  }
}

/** Returns lines of one key summed into one, in the order of first appearance. */
export function rollUp<T extends Pick<DifferenceLine, 'before' | 'after'>>(
  lines: Iterable<T>,
  keyOf: (line: T) => string,
): T[] {
  const rolled = new Map<string, T>();
  for (const line of lines) {
    const key = keyOf(line);
    const sum = rolled.get(key) ?? { ...line, before: noUsage(), after: noUsage() };
    rolled.set(key, sum);
    for (const side of ['before', 'after'] as const) sum[side] = plus(sum[side], line[side], 1n);
  }
  return [...rolled.values()];
}

export function differenceOf({ before, after }: Pick<DifferenceLine, 'before' | 'after'>): UsageSums {
  return plus(after, before, -1n);
}

export function noUsage(): UsageSums {
  return { records: 0n, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
}

function plus(a: UsageSums, b: UsageSums, sign: bigint): UsageSums {
  return {
    records: a.records + sign * b.records,
    sponsoredOctets: a.sponsoredOctets + sign * b.sponsoredOctets,
    subscriberOctets: a.subscriberOctets + sign * b.subscriberOctets,
    chargeMicros: a.chargeMicros + sign * b.chargeMicros,
  };
}

function addTo(sums: UsageSums, { sponsoredOctets, chargeMicros }: Decision, octets: number): void {
  sums.records++;
  sums.sponsoredOctets += BigInt(sponsoredOctets);
  sums.subscriberOctets += BigInt(octets - sponsoredOctets);
  sums.chargeMicros += BigInt(chargeMicros);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
