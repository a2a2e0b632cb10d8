/** A plan's statistics period: what a counter counts in. All versions of a plan count together. */
export interface PlanPeriod {
  planId: string;
  /** First day, days since 1970-01-01. */
  periodStart: number;
}

/** Names plan periods by small integers. */
export class PlanPeriods {
  readonly #periods: PlanPeriod[] = [];
  readonly #newestFromMs: number[] = [];
  readonly #numbers = new Map<string, Map<number, number>>();

  numberOf(planId: string, periodStart: number): number {
    let byStart = this.#numbers.get(planId);
    if (byStart === undefined) {
      byStart = new Map();
      this.#numbers.set(planId, byStart);
    }
    let number = byStart.get(periodStart);
    if (number === undefined) {
      number = this.#periods.push({ planId, periodStart }) - 1;
      this.#newestFromMs.push(Number.NEGATIVE_INFINITY);
      byStart.set(periodStart, number);
    }
    return number;
  }

  at(number: number): PlanPeriod {
    return this.#periods[number];
  }

  /** The version in force from `effectiveFromMs` counts in a period. */
  noteVersionFrom(number: number, effectiveFromMs: number): void {
    if (effectiveFromMs > this.#newestFromMs[number]) this.#newestFromMs[number] = effectiveFromMs;
  }

  /** When the newest version that counts in a period came into force. */
  newestVersionFrom(number: number): number {
    return this.#newestFromMs[number];
  }

  /** Numbers of the same plan's periods that begin after `periodStart`. */
  laterThan(planId: string, periodStart: number): number[] {
    const later: number[] = [];
    for (const [start, number] of this.#numbers.get(planId) ?? []) if (start > periodStart) later.push(number);
    return later;
  }
}
