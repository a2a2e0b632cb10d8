import { type QuotaPublisher, QuotaPublisherError } from '../../src/journal/journal.ts';
import type { QuotaUpdate, QuotaUpdates } from '../../src/rating/quota-updates.ts';
import type { SimulatedProcess } from './simulated-process.ts';

const LATEST_MS = 8000;

/** The compacted topic of quota updates: the publisher of each lane, and the state of its consumers. */
export class SimulatedQuotaTopic {
  /** The last message of each key, `subscriber|planId`: the state after compaction. */
  readonly last = new Map<string, QuotaUpdate>();
  /** The message of each key with the highest period and version: the state of a consumer that reads everything. */
  readonly highest = new Map<string, QuotaUpdate>();
  readonly #epochs = new Map<string, number>();
  readonly #fences: boolean;

  constructor({ fences }: { fences: boolean }) {
    this.#fences = fences;
  }

  claim(lane: string): number {
    const epoch = (this.#epochs.get(lane) ?? 0) + 1;
    this.#epochs.set(lane, epoch);
    return epoch;
  }

  /** Appends updates. Returns false, and appends nothing, when another claim has come since. */
  append(lane: string, epoch: number, updates: QuotaUpdates): boolean {
    if (this.#fences && this.#epochs.get(lane) !== epoch) return false;
    for (const update of updates) {
      const key = `${update.subscriber}|${update.planId}`;
      this.last.set(key, update);
      const highest = this.highest.get(key);
      const isHigher =
        highest === undefined ||
        update.periodStart > highest.periodStart ||
        (update.periodStart === highest.periodStart && update.version >= highest.version);
      if (isHigher) this.highest.set(key, update);
    }
    return true;
  }
}

/** One process's connection to the quota topic, with all of its faults. */
export class PublisherPort implements QuotaPublisher {
  readonly #process: SimulatedProcess;
  readonly #topic: SimulatedQuotaTopic;
  readonly #epochs = new Map<string, number>();

  constructor(process: SimulatedProcess, topic: SimulatedQuotaTopic) {
    this.#process = process;
    this.#topic = topic;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  claim(lane: string): Promise<void> {
    this.#epochs.delete(lane);
    return this.#process.call(async () => {
      await this.#process.latency('claim leaves');
      const { faults, random } = this.#process.world;
      if (faults.strikes('claim_fails')) {
        if (random.uniform() < 0.5) this.#topic.claim(lane);
        throw unavailable('the claim was not answered');
      }
      this.#epochs.set(lane, this.#topic.claim(lane));
      await this.#process.latency('claim is answered');
    });
  }

  async publish(lane: string, updates: QuotaUpdates): Promise<void> {
    if (updates.length === 0) return;
    const epoch = this.#epochs.get(lane);
    if (epoch === undefined) throw claimLost(lane, 'it was not claimed');
    try {
      await this.#process.call(() => this.#publish(lane, epoch, updates));
    } catch (error) {
      this.#epochs.delete(lane);
      throw error;
    }
  }

  /** Publishes one transaction: all of it or nothing. */
  async #publish(lane: string, epoch: number, updates: QuotaUpdates): Promise<void> {
    const { faults, random, time } = this.#process.world;
    await this.#process.latency('publish leaves');
    if (faults.strikes('publish_fails_before')) throw claimLost(lane, 'no broker');
    if (faults.strikes('publish_lands_late')) {
      time.after(random.integer(1, LATEST_MS), null, `late publish ${lane}`, () => {
        this.#topic.append(lane, epoch, updates);
      });
      throw claimLost(lane, 'no answer in time');
    }
    if (faults.strikes('publish_slow')) await this.#process.latency('publish is slow', 3000);
    if (!this.#topic.append(lane, epoch, updates)) throw claimLost(lane, 'another publisher has claimed it');
    if (faults.strikes('publish_fails_after')) throw claimLost(lane, 'the acknowledgement was lost');
    await this.#process.latency('publish is acknowledged');
  }
}

function unavailable(message: string): QuotaPublisherError {
  return new QuotaPublisherError('kafka_unavailable', message, { canRetry: true });
}

function claimLost(lane: string, why: string): QuotaPublisherError {
  return new QuotaPublisherError('claim_lost', `${lane}: ${why}`, { canRetry: true });
}
