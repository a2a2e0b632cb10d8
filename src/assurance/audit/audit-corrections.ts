import type { BatchRow, JournalEvidence, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { factsByBatch } from '../../journal/evidence/facts-by-batch.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { RECYCLED } from '../../rating/lane.ts';
import { type Facts, NO_FACTS } from '../../rating/rules.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { type AuditedCorrection, isAfter, readAuditedCorrections, readKeptCatalogue } from './audited-corrections.ts';
import { type ComputedRecord, capped } from './compare-batch.ts';
import { correctionDifference, recordOfRows } from './compare-correction.ts';
import { type ChargeStep, CorrectionSteps, type StepsByOffset } from './correction-steps.ts';
import type { AuditFault } from './invariants.ts';
import { SecondPseudonyms } from './second-counting.ts';
import { SecondRerating } from './second-rerating.ts';
import { type SecondRules, secondRules, withFacts } from './second-rules.ts';

/** What was computed of corrections, and what could not be. */
export interface CorrectionsComputed {
  corrections: number;
  /** Records that were rated again, in all corrections. */
  records: number;
  /** Corrections that do not say how far the journal had come: each lane is compared up to the last record that they change. */
  withoutEnds: readonly number[];
  /** Lanes of corrections that are not compared from a batch on that the source no longer has. */
  lost: readonly { number: number; lane: string; fromLaneSequence: number }[];
  /** Unsponsored records of erased subscribers that would have a charge, and cannot be compared. */
  ofErased: number;
}

/**
 * Computes every correction's charges a second time, with the catalogue that it names, and compares them with what it booked, row by
 * row. Batches come with their records in the order of every lane. A correction that read the source is computed from these records.
 * One that did not, and recycled records, are computed from the rows of charges, as they were defined.
 */
export class CorrectionAudit {
  readonly #store: Store;
  readonly #evidence: JournalEvidence;
  readonly #pseudonyms: SecondPseudonyms;
  readonly #factsOf: ReturnType<typeof factsByBatch>;
  /** By lane, the batches that are still to come. */
  readonly #waiting = new Map<string, BatchRow[]>();
  #corrections: ComputedCorrection[] = [];
  #steps: CorrectionSteps | null = null;

  constructor(store: Store, evidence: JournalEvidence, pseudonymKey: PseudonymKey) {
    this.#store = store;
    this.#evidence = evidence;
    this.#pseudonyms = new SecondPseudonyms(pseudonymKey);
    this.#factsOf = factsByBatch(evidence);
  }

  /** Reads the corrections and their catalogues. Call it before the first batch. */
  async *start(): AsyncGenerator<AuditFault> {
    const batches = await this.#evidence.batches();
    this.#steps = new CorrectionSteps(this.#store, this.#evidence, batches);
    for (const correction of await readAuditedCorrections(this.#store, batches)) {
      const { number, catalogueHash } = correction;
      const document = await readKeptCatalogue(this.#store, catalogueHash);
      if (document === null) {
        const message = `correction ${number} names the catalogue ${catalogueHash}, which the store does not have`;
        yield { invariant: 'corrected_charges', lane: '', laneSequence: 0, message };
      } else this.#corrections.push(new ComputedCorrection(correction, document, this.#pseudonyms));
    }
    if (this.#corrections.length === 0) return;
    for (const batch of batches) {
      if (batch.gapReason !== '') continue;
      const ofLane = this.#waiting.get(batch.lane) ?? [];
      ofLane.push(batch);
      this.#waiting.set(batch.lane, ofLane);
    }
  }

  /** Compares a batch whose records were computed a second time, and those before it in its lane that the source does not have. */
  async *take({ batch }: WalkedBatch, computed: readonly ComputedRecord[]): AsyncGenerator<AuditFault> {
    const waiting = this.#waiting.get(batch.lane) ?? [];
    const at = waiting.findIndex(({ numbers }) => numbers.lane_sequence === batch.numbers.lane_sequence);
    if (at < 0) return;
    for (const before of waiting.splice(0, at + 1).slice(0, -1)) yield* this.#compare(before, null);
    yield* this.#compare(batch, computed);
  }

  /** Compares the batches after the last ones that were taken. */
  async *finish(): AsyncGenerator<AuditFault> {
    for (const waiting of this.#waiting.values()) {
      for (const batch of waiting.splice(0)) yield* this.#compare(batch, null);
    }
  }

  result(): CorrectionsComputed {
    const all = this.#corrections;
    return {
      corrections: all.length,
      records: all.reduce((sum, { rated }) => sum + rated, 0),
      withoutEnds: all.filter(({ of }) => !of.knowsEnds).map(({ of }) => of.number),
      lost: all.flatMap(({ of, lostFrom }) =>
        [...lostFrom].map(([lane, fromLaneSequence]) => ({ number: of.number, lane, fromLaneSequence })),
      ),
      ofErased: all.reduce((sum, { ofErased }) => sum + ofErased, 0),
    };
  }

  async *#compare(batch: BatchRow, computed: readonly ComputedRecord[] | null): AsyncGenerator<AuditFault> {
    const { lane, numbers } = batch;
    const reaching = this.#corrections.filter((correction) => correction.reaches(batch));
    if (reaching.length === 0 || this.#steps === null) return;
    const steps = await this.#steps.of(batch);
    if (computed === null && steps.size === 0 && reaching.every(({ of }) => !of.isFromSource)) return;
    const facts = await this.#factsOf(batch);
    const messages = reaching.flatMap((correction) => correction.differences(batch, steps, computed, facts));
    for (const message of capped(messages)) {
      yield { invariant: 'corrected_charges', lane, laneSequence: numbers.lane_sequence, message };
    }
  }
}

/** One correction while it is computed. */
class ComputedCorrection {
  readonly of: AuditedCorrection;
  /** By lane, the first of its batches whose records the source no longer has: nothing is compared from there on. */
  readonly lostFrom = new Map<string, number>();
  readonly #rules: SecondRules;
  readonly #pseudonyms: SecondPseudonyms;
  readonly #lanes = new Map<string, SecondRerating>();

  constructor(of: AuditedCorrection, catalogue: string, pseudonyms: SecondPseudonyms) {
    this.of = of;
    this.#rules = secondRules(catalogue, NO_FACTS);
    this.#pseudonyms = pseudonyms;
  }

  get rated(): number {
    return [...this.#lanes.values()].reduce((sum, { rated }) => sum + rated, 0);
  }

  get ofErased(): number {
    return [...this.#lanes.values()].reduce((sum, { ofErased }) => sum + ofErased, 0);
  }

  /** Whether it surely saw the batch, or a part of it. */
  reaches({ lane, numbers }: BatchRow): boolean {
    const end = this.of.ends.get(lane);
    return end !== undefined && numbers.lane_sequence <= end.laneSequence && !this.lostFrom.has(lane);
  }

  /** Returns how the batch's rows of the correction differ from a second computation. */
  differences(
    batch: BatchRow,
    steps: StepsByOffset,
    computed: readonly ComputedRecord[] | null,
    facts: Facts,
  ): string[] {
    if (!this.of.isFromSource || batch.topic.startsWith(RECYCLED)) return this.#ofRows(batch, steps, facts);
    if (computed !== null) return this.#ofSource(batch, steps, computed, facts);
    const { lane, numbers } = batch;
    const first = this.of.firstRead.get(lane);
    // What it did not read either has no record of its periods.
    if (first !== undefined && numbers.lane_sequence >= first) this.lostFrom.set(lane, numbers.lane_sequence);
    return [];
  }

  #ofRows(batch: BatchRow, steps: StepsByOffset, { campaigns }: Facts): string[] {
    const rules = withFacts(this.#rules, { ...NO_FACTS, campaigns });
    const rerating = this.#laneOf(batch.lane);
    const differences: string[] = [];
    for (const [offset, ofRecord] of steps) {
      if (this.#isAfterEnd(batch, offset)) break;
      const { before, own } = this.#split(ofRecord);
      const record = before === null ? null : recordOfRows(ofRecord, this.of.number);
      const after = record === null ? before : rerating.ofRows({ record, before }, rules);
      const difference = correctionDifference(before, after, own);
      if (difference !== null) differences.push(`correction ${this.of.number}, record ${offset}: ${difference}`);
    }
    return differences;
  }

  #ofSource(batch: BatchRow, steps: StepsByOffset, computed: readonly ComputedRecord[], facts: Facts): string[] {
    const rules = withFacts(this.#rules, facts);
    const rerating = this.#laneOf(batch.lane);
    const differences: string[] = [];
    for (const { offset, read, outcome } of computed) {
      if (this.#isAfterEnd(batch, offset)) break;
      const ofRecord = steps.get(offset) ?? [];
      const { before, own } = this.#split(ofRecord);
      const isOpen = !('reason' in read) && (outcome.outcome === 'charged' || outcome.outcome === 'not_sponsored');
      const after = isOpen ? rerating.ofSource({ record: read, before }, rules, own.at(-1)?.charge.subscriber) : before;
      const isFirst = before === null && !ofRecord.some(({ number }) => number === 0);
      const fields = isFirst && isOpen ? { read, batch } : null;
      const difference = correctionDifference(before, after, own, fields);
      if (difference !== null) differences.push(`correction ${this.of.number}, record ${offset}: ${difference}`);
    }
    return differences;
  }

  /** Returns a record's charge when the correction began, null where it had none, and the correction's own rows about it. */
  #split(steps: readonly ChargeStep[]) {
    const { number } = this.of;
    const last = steps.findLast((step) => step.number < number);
    return {
      before: last === undefined || last.isReversal ? null : last.charge,
      own: steps.filter((step) => step.number === number),
    };
  }

  #isAfterEnd({ lane, numbers }: BatchRow, offset: number): boolean {
    const end = this.of.ends.get(lane);
    return end !== undefined && isAfter({ laneSequence: numbers.lane_sequence, offset }, end);
  }

  #laneOf(lane: string): SecondRerating {
    let rerating = this.#lanes.get(lane);
    if (rerating === undefined) {
      rerating = new SecondRerating(this.of, this.#pseudonyms);
      this.#lanes.set(lane, rerating);
    }
    return rerating;
  }
}
