import type { QuotaUpdate } from './quota-update.ts';

const WORDS = 4;

/** What the updates of a batch have in common where they are of the same plan and period. */
export type QuotaUpdateHead = Omit<
  QuotaUpdate,
  'subscriber' | 'usedOctets' | 'remainingOctets' | 'thresholdReached' | 'offset'
>;

/** Quota updates in columns: the i-th of each array makes the i-th update. Read as a list, it makes an object of each. */
export class QuotaUpdates implements Iterable<QuotaUpdate> {
  readonly heads: QuotaUpdateHead[] = [];
  length = 0;
  /** Index into `heads`. */
  readonly head: Uint32Array;
  /** Pseudonyms, four words each, their octets in the machine's order. */
  readonly subscriber: Uint32Array;
  readonly usedOctets: Float64Array;
  readonly remainingOctets: Float64Array;
  readonly thresholdReached: Uint16Array;
  readonly offset: Float64Array;

  constructor(capacity: number) {
    this.head = new Uint32Array(capacity);
    this.subscriber = new Uint32Array(capacity * WORDS);
    this.usedOctets = new Float64Array(capacity);
    this.remainingOctets = new Float64Array(capacity);
    this.thresholdReached = new Uint16Array(capacity);
    this.offset = new Float64Array(capacity);
  }

  *[Symbol.iterator](): Generator<QuotaUpdate> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  at(index: number): QuotaUpdate {
    const { sponsorId, applicationId, planId, planVersion, periodStart, quotaOctets, version, topic, partition } =
      this.heads[this.head[index]];
    const { buffer, byteOffset } = this.subscriber;
    return {
      subscriber: Buffer.from(buffer, byteOffset + index * WORDS * 4, WORDS * 4).toString('hex'),
      sponsorId,
      applicationId,
      planId,
      planVersion,
      periodStart,
      quotaOctets,
      usedOctets: this.usedOctets[index],
      remainingOctets: this.remainingOctets[index],
      thresholdReached: this.thresholdReached[index],
      version,
      topic,
      partition,
      offset: this.offset[index],
    };
  }
}
