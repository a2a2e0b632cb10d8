import type { ReportOutcome } from '../../protocol/dispatch-messages.ts';

/** How many reports were accepted, known already or refused, by the reason, since the start. */
export class ReportOutcomes {
  readonly #counts = new Map<string, { proxyId: string; outcome: string; reason: string; count: number }>();

  note(proxyId: string, answered: ReportOutcome): void {
    const { outcome } = answered;
    const reason = answered.outcome === 'refused' ? answered.reason : '';
    const key = `${proxyId}|${outcome}|${reason}`;
    const counted = this.#counts.get(key);
    if (counted === undefined) this.#counts.set(key, { proxyId, outcome, reason, count: 1 });
    else counted.count++;
  }

  all(): Iterable<{ proxyId: string; outcome: string; reason: string; count: number }> {
    return this.#counts.values();
  }
}
