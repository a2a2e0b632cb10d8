import { type Leakage, NO_LEAKAGE } from './classify/leakage.ts';
import { OUTCOMES, type Outcome, outcomeOf, REASONS } from './outcome.ts';
import type { FlowBatch } from './record/flow-batch.ts';

/** Records and octets of one application and reason. */
interface OutcomeCount {
  /** Index into the catalogue's applications; -1 where none was recognised. */
  application: number;
  reasonCode: number;
  records: number;
  /** Uplink and downlink octets. */
  octets: number;
  /** Micro-units of the sponsor's currency; rounded above 2^53 - 1, as it is for watching only: the rows hold the money. */
  chargeMicros: number;
}

export interface BatchSummary {
  records: Record<Outcome, number>;
  octets: Record<Outcome, number>;
  counts: OutcomeCount[];
  leakage: Leakage;
}

/** Counts by outcome, and by application and reason: read = charged + not sponsored + duplicate + rejected. */
export function summarise(batch: FlowBatch, leakage: Leakage = NO_LEAKAGE): BatchSummary {
  const summary: BatchSummary = { records: zeros(), octets: zeros(), counts: countsOf(batch), leakage };
  for (const { reasonCode, records, octets } of summary.counts) {
    const outcome = outcomeOf(reasonCode);
    summary.records[outcome] += records;
    summary.octets[outcome] += octets;
  }
  return summary;
}

function countsOf(batch: FlowBatch): OutcomeCount[] {
  let applications = 0;
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] >= REASONS.length) throw new RangeError(`row ${row} is undecided`);
    applications = Math.max(applications, batch.application[row] + 1);
  }
  // By application, from the one that was not recognised, and reason.
  const records = new Uint32Array((applications + 1) * REASONS.length);
  const octets = new Float64Array(records.length);
  const chargeMicros = new Float64Array(records.length);
  for (let row = 0; row < batch.count; row++) {
    const place = (batch.application[row] + 1) * REASONS.length + batch.reason[row];
    records[place]++;
    octets[place] += batch.octets(row);
    chargeMicros[place] += batch.chargeMicros[row];
  }
  const counts: OutcomeCount[] = [];
  records.forEach((count, place) => {
    if (count === 0) return;
    const reasonCode = place % REASONS.length;
    const application = (place - reasonCode) / REASONS.length - 1;
    counts.push({
      application,
      reasonCode,
      records: count,
      octets: octets[place],
      chargeMicros: chargeMicros[place],
    });
  });
  return counts;
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}
