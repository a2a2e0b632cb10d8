import type { Seen } from './duplicate-window.ts';
import type { Lane } from './lane.ts';
import { REASON_CODE, type Reason } from './outcome.ts';
import { rate } from './rate.ts';
import { type FlowBatch, UNDECIDED } from './record/flow-batch.ts';
import type { Rules } from './rules.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The way of a record, after `admit` has decoded and validated it into the batch's columns:
 *
 *     dropDuplicate -> classify -> choose a plan -> refuse what is late | counters in memory? | -> rate
 *
 * The first step that has a reason decides; a record that passes all of them is rated. Between the two halves the shell
 * makes sure that the counters of every period the batch touches are in memory.
 */
export function classifyBatch(batch: FlowBatch, lane: Lane, rules: Rules): void {
  rules.evidence.findPrefixes(batch);
  for (let row = 0; row < batch.count; row++) {
    lane.duplicates.advance(lane.position + row);
    if (batch.reason[row] !== UNDECIDED) continue;
    const reason =
      dropDuplicate(batch, row, lane) ??
      rules.evidence.classify(batch, row) ??
      rules.planBook.choose(batch, row, rules.suspended) ??
      refuseLate(batch, row, lane, rules);
    if (reason !== null) batch.reason[row] = REASON_CODE[reason];
  }
}

/** First day of the earliest period that the undecided records count in; Infinity if there is none. */
export function earliestPeriodStart(batch: FlowBatch): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] === UNDECIDED && batch.periodStart[row] < earliest) earliest = batch.periodStart[row];
  }
  return earliest;
}

export function rateBatch(batch: FlowBatch, lane: Lane, rules: Rules): void {
  const { counters } = lane;
  openCounters(batch, lane, rules);
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    const plan = rules.catalogue.plans[batch.plan[row]];
    const counter = batch.counter[row];
    const reason = rate(batch, row, plan, counters, counter);
    if (reason === 'charge_out_of_range') {
      batch.reject(row, { reason, detail: 'counter or charge above 2^53 - 1' });
      continue;
    }
    batch.reason[row] = REASON_CODE[reason];
    counters.noteRow(counter, row);
  }
  lane.position += batch.count;
}

/** A pass of its own: in so short a loop the processor waits for the memory of many counters at once, not one by one. */
function openCounters(batch: FlowBatch, { counters, planPeriods }: Lane, { catalogue: { plans } }: Rules): void {
  // The plan's period before: nearly always it is the next one too.
  const periodStarts = new Int32Array(plans.length).fill(-1);
  const numbers = new Uint32Array(plans.length);
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] !== UNDECIDED) continue;
    const plan = batch.plan[row];
    const periodStart = batch.periodStart[row];
    if (periodStarts[plan] !== periodStart) {
      periodStarts[plan] = periodStart;
      numbers[plan] = planPeriods.numberOf(plans[plan].id, periodStart);
    }
    batch.counter[row] = counters.open(batch.subscriber[row], numbers[plan]);
  }
}

function dropDuplicate(batch: FlowBatch, row: number, lane: Lane): Reason | null {
  const ordinal = lane.position + row;
  const node = batch.node[row];
  const sequence = batch.localSequenceNumber[row];
  const seen = claimIdentity(lane, ordinal, node, sequence, batch.fingerprint[row]);
  if (seen === 'new') return null;
  if (seen === 'duplicate') return 'duplicate';
  const reason = 'conflicting_duplicate';
  batch.reject(row, { reason, detail: `${lane.nodes.list[node]} ${sequence} was seen before with other content` });
  return reason;
}

/** The window decides first; what an earlier generation of a rewritten file has claimed is not claimed again. */
function claimIdentity(lane: Lane, ordinal: number, node: number, sequence: number, fingerprint: number): Seen {
  const { duplicates, earlier } = lane;
  const seen = duplicates.see(ordinal, node, sequence, fingerprint);
  if (seen !== 'new' || earlier === null) return seen;
  const before = earlier.find(node, sequence, fingerprint);
  if (before !== 'new') duplicates.forget(ordinal);
  return before;
}

/**
 * The late policy `refuse` (rule 9): once finance has closed a month, the periods that begin in it and were over by then take
 * no more records. A record that is refused gives its identity back: corrected, it may come again.
 */
function refuseLate(batch: FlowBatch, row: number, lane: Lane, rules: Rules): Reason | null {
  const plan = batch.plan[row];
  const periodStart = batch.periodStart[row];
  if (!rules.refusesLate(plan, periodStart)) return null;
  lane.duplicates.forget(lane.position + row);
  const reason = 'period_closed';
  const detail = `the period began on ${dayName(periodStart)}, and what began before ${dayName(rules.openFromDay[plan])} is closed`;
  batch.reject(row, { reason, detail });
  return reason;
}

function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
