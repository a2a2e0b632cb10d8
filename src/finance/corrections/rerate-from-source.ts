import { requireAccountCurrency } from '../../journal/account-currencies.ts';
import { decodingAt } from '../../journal/evidence/decoding-at.ts';
import type { BatchRow, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { factsByBatch } from '../../journal/evidence/facts-by-batch.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { RECYCLED } from '../../rating/lane.ts';
import { NO_FACTS, type Rules } from '../../rating/rules.ts';
import { batchesToRead } from './batches-to-read.ts';
import { type BookedSource, recordsLost, sourceDiffers } from './booked-source.ts';
import type { ReadLog } from './correction-rows.ts';
import { CurrentCharges } from './current-charges.ts';
import { Difference } from './difference.ts';
import { type ChargeSelection, rowsOf } from './log-spans.ts';
import { readCurrentCharges } from './read-current-charges.ts';
import { ReadLane } from './read-lane.ts';
import { applicationIndexes, type ReratingWatch, refuseOtherAccounts, refuseTornPeriods, sponsorIn } from './rerate.ts';
import { LEFT_OUT } from './rerate-lane.ts';
import { readAgain, sourceFault, takeCurrentCharges } from './source-batch.ts';
import { readUnratable, type Unratable } from './unratable-plans.ts';

/** Records, and their octets. */
export interface UsageCount {
  records: number;
  octets: number;
}

/** What the catalogue would sponsor in the range, and is not charged nevertheless. */
export interface LeftOut {
  /** Records that another sponsor is charged for, by its id. */
  otherSponsors: ReadonlyMap<string, UsageCount>;
  /** Of subscribers who were erased, and whose pseudonym the journal does not have there. */
  nameless: UsageCount;
  /** Records without a charge whose period begins outside of the range, of the batches that were read. */
  outOfRange: UsageCount;
  /** Unsponsored records of recyclings, which are in no source. All of them: nothing else is known of them. */
  recycledRecords: number;
  /** Lanes of other sources, of which nothing is re-rated. */
  otherLanes: readonly string[];
}

export interface SourceRerating {
  difference: Difference;
  leftOut: LeftOut;
  /** What was read. */
  logs: ReadLog[];
}

/**
 * Reads the booked records of a range of periods again from their source and rates them with a catalogue, as an engine would have
 * that had the catalogue from the beginning; books nothing. Records that were rejected or duplicates stay what they were. Throws
 * what `rerate` throws, and a BookedSourceError where the source is not what was booked.
 */
export async function rerateFromSource(
  store: Store,
  rules: Rules,
  selection: ChargeSelection,
  source: BookedSource,
  watch: ReratingWatch = {},
): Promise<SourceRerating> {
  const { evidence, recordRules } = source;
  await requireAccountCurrency(store, sponsorIn(rules.catalogue, selection.sponsorId));
  const needed = await batchesToRead(store, await evidence.batches(), selection.range, recordRules.maxFutureSkewMs);
  const withRecords = needed.filter(({ gapReason }) => gapReason === '');
  const own = withRecords.filter(({ lane }) => source.hasLane(lane));
  const others = withRecords.filter(({ lane }) => !source.hasLane(lane));
  const unratable = await readUnratable(store, rules.catalogue.canonicalJson, selection.range);
  const rerating = new Rerating(store, rules, selection, source, watch, own, unratable);
  await rerating.run(own.filter(({ topic }) => !isRecycled(topic)));
  return rerating.result([...new Set(others.map(({ lane }) => lane))]);
}

class Rerating {
  readonly #store: Store;
  readonly #rules: Rules;
  readonly #sponsor: Sponsor;
  readonly #selection: ChargeSelection;
  readonly #source: BookedSource;
  readonly #watch: ReratingWatch;
  readonly #factsOf: ReturnType<typeof factsByBatch>;
  /** Of applications that charge rows alone cannot rate again, by id. */
  readonly #unratable: ReadonlyMap<string, Unratable>;
  readonly #lanes = new Map<string, ReadLane>();
  /** The records of one batch, and by row their BOOKED_AS, and LEFT_OUT. */
  readonly #charges: CurrentCharges;
  readonly #bookedAs: Uint8Array;
  readonly #left: Uint8Array;
  readonly #difference: Difference;
  readonly #otherSponsors = new Map<string, UsageCount>();
  readonly #nameless = noCount();
  readonly #outOfRange = noCount();
  #recycledRecords = 0;
  #readRecords = 0;

  constructor(
    store: Store,
    rules: Rules,
    selection: ChargeSelection,
    source: BookedSource,
    watch: ReratingWatch,
    batches: readonly BatchRow[],
    unratable: readonly Unratable[],
  ) {
    this.#store = store;
    this.#rules = rules;
    this.#sponsor = sponsorIn(rules.catalogue, selection.sponsorId);
    this.#selection = selection;
    this.#source = source;
    this.#watch = watch;
    this.#factsOf = factsByBatch(source.evidence);
    this.#unratable = new Map(unratable.map((one) => [one.applicationId, one]));
    const capacity = batches.reduce((most, { numbers }) => Math.max(most, numbers.records_read), 1);
    this.#charges = new CurrentCharges(capacity);
    this.#bookedAs = new Uint8Array(capacity);
    this.#left = new Uint8Array(capacity);
    this.#difference = new Difference(this.#charges.plans);
    for (const batch of batches) this.#laneOf(batch.lane).queue.push(batch);
  }

  /** Rates the batches, and those of recyclings between them. */
  async run(batches: readonly BatchRow[]): Promise<void> {
    const readable = new Set(this.#source.readable(batches));
    const missing = batches.filter((batch) => !readable.has(batch));
    if (missing.length > 0) throw recordsLost(missing);
    for await (const walked of this.#source.walk(batches, (gone) => void missing.push(...gone))) {
      if (missing.length > 0) throw recordsLost(missing);
      const lane = this.#laneOf(walked.batch.lane);
      await this.#rateRecycled(lane);
      if (lane.queue.shift() !== walked.batch) throw recordsLost([walked.batch]);
      await this.#rateRead(lane, walked);
    }
    for (const lane of this.#lanes.values()) {
      await this.#rateRecycled(lane);
      missing.push(...lane.queue);
    }
    if (missing.length > 0) throw recordsLost(missing);
    for (const { rating } of this.#lanes.values()) refuseTornPeriods(rating.tornPeriods(), this.#selection.range);
  }

  result(otherLanes: readonly string[]): SourceRerating {
    return {
      difference: this.#difference,
      leftOut: {
        otherSponsors: this.#otherSponsors,
        nameless: this.#nameless,
        outOfRange: this.#outOfRange,
        recycledRecords: this.#recycledRecords,
        otherLanes,
      },
      logs: [...this.#lanes.values()].flatMap((lane) => lane.logs()),
    };
  }

  #laneOf(name: string): ReadLane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const { pseudonymKey } = this.#source;
      lane = new ReadLane(this.#store, this.#rules, this.#selection.range, pseudonymKey, this.#charges);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  async #rateRead(lane: ReadLane, walked: WalkedBatch): Promise<void> {
    const { batch } = walked;
    const { evidence, recordRules } = this.#source;
    const stored = await evidence.stored(batch);
    const decodeAt = await decodingAt(evidence, walked);
    const rules = this.#rules.with(await this.#factsOf(batch));
    const current = await lane.ahead.of(batch, lane.queue);
    if (walked.records.length !== batch.numbers.records_read) throw sourceDiffers(batch, countFault(walked));
    const nameless = lane.expectErased(walked, decodeAt, stored);
    lane.admit(this.#charges, walked, decodeAt, recordRules, rules);
    const again = readAgain(walked, stored);
    const fault = sourceFault(again, this.#charges.records, lane.rating.lane.nodes);
    if (fault !== null) throw sourceDiffers(batch, fault);
    lane.prove(walked);
    takeCurrentCharges(this.#charges, again, current, { sponsorId: this.#sponsor.id, nameless }, this.#bookedAs);
    lane.rating.rateRead(this.#charges, rules, this.#sponsor.id, this.#bookedAs, this.#left);
    this.#readRecords += walked.records.length;
    this.#take(lane);
  }

  /** Rates recycled records that come next in the lane. They are in no source, so evidence and application stay as booked. */
  async #rateRecycled(lane: ReadLane): Promise<void> {
    while (lane.queue.length > 0 && isRecycled(lane.queue[0].topic)) {
      const [batch] = lane.queue.splice(0, 1);
      const { topic, partition, numbers, lastOffset } = batch;
      const charges = this.#charges;
      const span = { lane: batch.lane, topic, partition, firstOffset: numbers.first_offset, lastOffset };
      const readFor = {
        applicationIndex: applicationIndexes(this.#rules.catalogue),
        subscribers: lane.rating.subscribers,
      };
      await readCurrentCharges(this.#store, rowsOf(this.#selection), span, readFor, charges);
      charges.read = null;
      refuseOtherAccounts(charges, this.#rules.catalogue, this.#sponsor);
      this.#refuseUnratable(topic);
      const { campaigns } = await this.#factsOf(batch);
      const rules = this.#rules.with({ ...NO_FACTS, campaigns });
      lane.rating.rate(charges, () => rules);
      this.#left.fill(LEFT_OUT.none, 0, charges.records.count);
      this.#recycledRecords += numbers.records_not_sponsored;
      this.#take(lane);
    }
  }

  /** Throws a ConfigError where recycled records, which are in no source, would have to say more than their rows keep. */
  #refuseUnratable(topic: string): void {
    const { records, names, applicationName, isInRange } = this.#charges;
    for (let row = 0; row < records.count; row++) {
      const found = this.#unratable.get(names.list[applicationName[row]]);
      if (found === undefined || isInRange[row] === 0) continue;
      throw new ConfigError(
        `${topic} has recycled records, which are in no source: ${found.reason}. Reverse the recycling (\`rejections reverse\`), ` +
          'and recycle the records again afterwards with other sequence numbers',
      );
    }
  }

  /** Takes what was rated, and what was left out. */
  #take({ rating }: ReadLane): void {
    const charges = this.#charges;
    const { records } = charges;
    for (let row = 0; row < records.count; row++) {
      if (this.#left[row] !== LEFT_OUT.none) this.#leaveOut(row);
      if (charges.isInRange[row] === 0) continue;
      this.#difference.add(charges, row);
      if (charges.isChanged(row)) this.#watch.onChange?.(charges, row, rating.subscribers);
    }
    this.#watch.onProgress?.(this.#readRecords);
  }

  #leaveOut(row: number): void {
    const { records, names, sponsor } = this.#charges;
    let count = this.#left[row] === LEFT_OUT.nameless ? this.#nameless : this.#outOfRange;
    if (this.#left[row] === LEFT_OUT.otherSponsor) {
      const sponsorId = names.list[sponsor[row]];
      count = this.#otherSponsors.get(sponsorId) ?? noCount();
      this.#otherSponsors.set(sponsorId, count);
    }
    count.records++;
    count.octets += records.octets(row);
  }
}

function isRecycled(topic: string): boolean {
  return topic.startsWith(RECYCLED);
}

function countFault({ batch, records }: WalkedBatch): string {
  return `the source has ${records.length} records there, and ${batch.numbers.records_read} are booked`;
}

function noCount(): UsageCount {
  return { records: 0, octets: 0 };
}
