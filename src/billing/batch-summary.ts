import type { FlowBatch } from './flow-batch.ts';
import { OUTCOMES, type Outcome, outcomeOf, REASONS } from './outcome.ts';

/** Records and octets of one application and reason. */
export interface OutcomeCount {
  /** Index into the catalogue's applications; -1 where none was recognised. */
  application: number;
  reasonCode: number;
  records: number;
  /** Uplink and downlink octets. */
  octets: number;
}

export interface BatchSummary {
  records: Record<Outcome, number>;
  octets: Record<Outcome, number>;
  counts: OutcomeCount[];
}

/** Counts by outcome, and by application and reason: read = charged + not sponsored + duplicate + rejected. */
export function summarise(batch: FlowBatch): BatchSummary {
  const summary: BatchSummary = { records: zeros(), octets: zeros(), counts: [] };
  const places = new Map<number, OutcomeCount>();
  for (let row = 0; row < batch.count; row++) {
    const application = batch.application[row];
    const reasonCode = batch.reason[row];
    const octets = batch.octets(row);
    const outcome = outcomeOf(reasonCode);
    summary.records[outcome]++;
    summary.octets[outcome] += octets;
    const key = (application + 1) * REASONS.length + reasonCode;
    let count = places.get(key);
    if (count === undefined) {
      count = { application, reasonCode, records: 0, octets: 0 };
      places.set(key, count);
      summary.counts.push(count);
    }
    count.records++;
    count.octets += octets;
  }
  summary.counts.sort((a, b) => a.application - b.application || a.reasonCode - b.reasonCode);
  return summary;
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}
