import { createHash, type Hash } from 'node:crypto';
import { BookedPseudonyms, recordsOfErased } from '../../journal/evidence/booked-pseudonyms.ts';
import { admitAsBooked, type DecodeAt } from '../../journal/evidence/decoding-at.ts';
import type { BatchRow, StoredBatch, WalkedBatch } from '../../journal/evidence/evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { RecordRules } from '../../rating/record/record-limits.ts';
import type { Rules } from '../../rating/rules.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { ChargesAhead } from './charges-ahead.ts';
import type { ReadLog } from './correction-rows.ts';
import type { CurrentCharges } from './current-charges.ts';
import { type PeriodRange, RerateLane } from './rerate-lane.ts';

/** A lane whose booked records are read again: what rates them, and what is known on the way. */
export class ReadLane {
  readonly rating: RerateLane;
  readonly ahead: ChargesAhead;
  /** Batches to come, in their order. */
  readonly queue: BatchRow[] = [];
  readonly #key: BookedPseudonyms;
  readonly #presentKey: PseudonymKey;
  /** Erased numbers that the lane has under the pseudonym of the present key: what comes later has it, too. */
  readonly #presentNumbers = new Set<string>();
  readonly #logs: (Omit<ReadLog, 'recordsDigest'> & { hash: Hash })[] = [];

  constructor(store: Store, rules: Rules, range: PeriodRange, key: PseudonymKey, charges: CurrentCharges) {
    this.#presentKey = key;
    this.#key = new BookedPseudonyms(key);
    this.rating = new RerateLane(rules, range, this.#key);
    this.ahead = new ChargesAhead(store, range, this.rating.subscribers, charges);
  }

  /** Decodes a batch into `charges`, as when it was booked; the catalogue's tags are those of `rules`. */
  admit(
    charges: CurrentCharges,
    walked: WalkedBatch,
    decodeAt: DecodeAt,
    recordRules: RecordRules,
    rules: Rules,
  ): void {
    const { batch } = walked;
    const { lane } = this.rating;
    charges.records.clear();
    charges.topic = batch.topic;
    charges.partition = batch.partition;
    charges.read = { lane: batch.lane, bookingDay: batch.bookingDay, nodes: lane.nodes };
    admitAsBooked(charges.records, walked, decodeAt, recordRules, lane, rules);
  }

  /**
   * Takes the pseudonyms of erased subscribers from the batch's rows, as they can no longer be computed. Returns the places of their
   * records without a row, unless the lane has shown that the number has its present pseudonym already.
   */
  expectErased(walked: WalkedBatch, decodeAt: DecodeAt, stored: StoredBatch): number[] {
    if (this.#key.generations.length === 1) return [];
    const { booked, withoutRow } = recordsOfErased(walked, decodeAt, stored, this.#key);
    for (const [number, pseudonym] of booked) {
      if (this.#presentKey.pseudonymOf(number).equals(pseudonym)) this.#presentNumbers.add(number);
    }
    this.#key.expect(booked);
    this.rating.subscribers.forgetMsisdns();
    return withoutRow
      .filter(({ number }) => !booked.has(number) && !this.#presentNumbers.has(number))
      .map(({ place }) => place);
  }

  /** Adds a batch to the proof of what was read. */
  prove({ batch, records }: WalkedBatch): void {
    const { lane, topic, partition, numbers, lastOffset, sourceProof } = batch;
    let log = this.#logs.at(-1);
    if (log?.topic !== topic || log.partition !== partition) {
      const firstOffset = numbers.first_offset;
      log = { lane, topic, partition, firstOffset, lastOffset, records: 0, sourceProof, hash: createHash('sha256') };
      this.#logs.push(log);
    }
    log.lastOffset = lastOffset;
    log.records += records.length;
    log.sourceProof = sourceProof;
    for (const { offset, value } of records) log.hash.update(`${offset} ${value.length}\n`).update(value);
  }

  /** Returns what was read, log by log. Call it once. */
  logs(): ReadLog[] {
    return this.#logs.map(({ hash, ...log }) => ({ ...log, recordsDigest: hash.digest('hex') }));
  }
}
