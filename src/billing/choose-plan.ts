import type { Catalogue } from './catalogue.ts';
import type { FlowBatch } from './flow-batch.ts';
import type { Reason } from './outcome.ts';
import { PeriodCalendar } from './period.ts';

/** The catalogue's plans, made ready for look-ups by application and time. */
export class PlanBook {
  readonly #catalogue: Catalogue;
  readonly #calendars: readonly PeriodCalendar[];

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    const shared = new Map<string, PeriodCalendar>();
    this.#calendars = catalogue.plans.map(({ period, timeZone }) => {
      const key = `${period} ${timeZone}`;
      const calendar = shared.get(key) ?? new PeriodCalendar(period, timeZone);
      shared.set(key, calendar);
      return calendar;
    });
  }

  /**
   * The plan in force at the record's start, and the period it counts in (rules 2 and 4). Fills `plan` and `periodStart`,
   * or gives the reason why no plan sponsors the record. `suspended[sponsor]` is 1 for a sponsor that pays nothing now.
   */
  choose(batch: FlowBatch, row: number, suspended: Uint8Array): Reason | null {
    const application = this.#catalogue.applications[batch.application[row]];
    if (suspended[application.sponsor] === 1) return 'sponsor_suspended';
    const startTimeMs = batch.startTimeMs[row];
    const plan = this.#inForce(application.plans, startTimeMs);
    if (plan < 0) return 'no_plan';
    batch.plan[row] = plan;
    if (this.#catalogue.plans[plan].shareBasisPoints[batch.contentType[row]] < 0) return 'content_not_covered';
    batch.periodStart[row] = this.#calendars[plan].startDay(startTimeMs);
    return null;
  }

  #inForce(candidates: readonly number[], timeMs: number): number {
    // The newest first: it is the one that most records fall under.
    for (let i = candidates.length - 1; i >= 0; i--) {
      const { effectiveFromMs, effectiveToMs } = this.#catalogue.plans[candidates[i]];
      if (timeMs >= effectiveFromMs && timeMs < effectiveToMs) return candidates[i];
    }
    return -1;
  }
}
