import avro from 'avsc';
import type { CatalogueTerms, Plan } from './catalogue.ts';
import type { AvroSchema } from './decode-avro.ts';
import type { FlowBatch } from './flow-record.ts';
import type { Lane, TopicPartition } from './lane.ts';
import { isCharged } from './outcome.ts';

const WHOLE = 10_000; // basis points

/** What the updates of a plan, or of a further quota, and a period say: looked up once, as a batch has thousands of subscribers of each. */
interface Announced {
  planPeriod: number;
  quotaOctets: number;
  notifyAtBasisPoints: readonly number[];
  /** Index into the updates' heads; -1 where the plan has no quota. */
  head: number;
  /** Numbers of the periods of the same counter that begin later. */
  laterPeriods: readonly number[];
}

type QuotaTerms = Pick<Plan, 'id' | 'version' | 'effectiveFromMs' | 'quotaOctets' | 'notifyAtBasisPoints'>;

/**
 * Makes the quota updates of a batch, once the lane knows the versions of all its moves (`noteVersionFrom`). Plans and further
 * quotas are indexes into the catalogue's, subscribers and plan periods those of the lane.
 */
export class QuotaAnnouncer {
  readonly updates: QuotaUpdates;
  readonly #lane: Lane;
  readonly #catalogue: CatalogueTerms;
  readonly #log: Pick<TopicPartition, 'topic' | 'partition'>;
  /** By plan, and after the plans by further quota. */
  readonly #known = new Map<number, Announced[]>();

  constructor(
    capacity: number,
    lane: Lane,
    catalogue: CatalogueTerms,
    log: Pick<TopicPartition, 'topic' | 'partition'>,
  ) {
    this.updates = new QuotaUpdates(capacity);
    this.#lane = lane;
    this.#catalogue = catalogue;
    this.#log = log;
  }

  /**
   * Adds what the plan leaves after `usedOctets`; false if that is nothing to announce. A period before the subscriber's newest
   * one, moved by a late record, announces nothing: the quota that a subscriber has now is the current period's.
   */
  announce(subscriber: number, plan: number, planPeriod: number, usedOctets: number, offset: number): boolean {
    const announced = this.#announced(plan, planPeriod, () => this.#lookUpPlan(plan, planPeriod));
    return this.#add(announced, subscriber, usedOctets, offset);
  }

  /** The same of a further quota. */
  announceFurther(subscriber: number, quota: number, planPeriod: number, usedOctets: number, offset: number): boolean {
    const key = this.#catalogue.plans.length + quota;
    const announced = this.#announced(key, planPeriod, () => this.#lookUpFurther(quota, planPeriod));
    return this.#add(announced, subscriber, usedOctets, offset);
  }

  #add(announced: Announced, subscriber: number, usedOctets: number, offset: number): boolean {
    if (announced.head < 0 || this.#hasAnyOf(subscriber, announced.laterPeriods)) return false;
    const { updates } = this;
    const { quotaOctets, notifyAtBasisPoints } = announced;
    const index = updates.length++;
    updates.head[index] = announced.head;
    this.#lane.subscribers.copyPseudonym(subscriber, updates.subscriber, index * 4);
    updates.usedOctets[index] = usedOctets;
    // A later version may have a smaller quota than was used already.
    updates.remainingOctets[index] = Math.max(0, quotaOctets - usedOctets);
    updates.thresholdReached[index] = thresholdReached(quotaOctets, notifyAtBasisPoints, usedOctets);
    updates.offset[index] = offset;
    return true;
  }

  #hasAnyOf(subscriber: number, planPeriods: readonly number[]): boolean {
    for (const planPeriod of planPeriods) if (this.#lane.counters.has(subscriber, planPeriod)) return true;
    return false;
  }

  #announced(key: number, planPeriod: number, lookUp: () => Announced): Announced {
    const periods = this.#known.get(key);
    if (periods !== undefined) for (const known of periods) if (known.planPeriod === planPeriod) return known;
    const announced = lookUp();
    this.#known.set(key, [...(periods ?? []), announced]);
    return announced;
  }

  #lookUpPlan(plan: number, planPeriod: number): Announced {
    const { plans, applications, sponsors } = this.#catalogue;
    const moved = plans[plan];
    const application = applications[moved.application];
    // All versions of a plan are of one application.
    const versions = application.plans.map((index) => plans[index]);
    const terms = this.#newestVersion(moved, versions, planPeriod);
    return this.#headOf(terms, planPeriod, sponsors[application.sponsor].id, application.id);
  }

  #lookUpFurther(quota: number, planPeriod: number): Announced {
    const { furtherQuotas, applications, sponsors } = this.#catalogue;
    const moved = furtherQuotas[quota];
    const terms = this.#newestVersion(moved, furtherQuotas, planPeriod);
    const applicationId = moved.application < 0 ? '' : applications[moved.application].id;
    return this.#headOf(terms, planPeriod, sponsors[moved.sponsor].id, applicationId);
  }

  #headOf(terms: QuotaTerms, planPeriod: number, sponsorId: string, applicationId: string): Announced {
    const { planPeriods, position } = this.#lane;
    const { id, version, quotaOctets, notifyAtBasisPoints } = terms;
    const { periodStart } = planPeriods.at(planPeriod);
    const laterPeriods = planPeriods.laterThan(id, periodStart);
    const announced = { planPeriod, quotaOctets, notifyAtBasisPoints, laterPeriods };
    if (quotaOctets === Number.POSITIVE_INFINITY) return { ...announced, head: -1 };
    const head = this.updates.heads.push({
      sponsorId,
      applicationId,
      planId: id,
      planVersion: version,
      periodStart,
      quotaOctets,
      version: position,
      topic: this.#log.topic,
      partition: this.#log.partition,
    });
    return { ...announced, head: head - 1 };
  }

  /** A late record of a version that was replaced within the period does not take back the quota of the one after it. */
  #newestVersion(moved: QuotaTerms, versions: readonly QuotaTerms[], planPeriod: number): QuotaTerms {
    if (moved.quotaOctets === Number.POSITIVE_INFINITY) return moved;
    const fromMs = this.#lane.planPeriods.newestVersionFrom(planPeriod);
    const newest = versions.find(({ id, effectiveFromMs }) => id === moved.id && effectiveFromMs === fromMs);
    return newest === undefined || newest.quotaOctets === Number.POSITIVE_INFINITY ? moved : newest;
  }
}

/** The highest of the thresholds that the use has reached: used >= quota x basis points / 10,000. 0 below all of them. */
export function thresholdReached(
  quotaOctets: number,
  notifyAtBasisPoints: readonly number[],
  usedOctets: number,
): number {
  if (notifyAtBasisPoints.length === 0) return 0;
  // Cut so that no product leaves the exact integers.
  const rest = quotaOctets % WHOLE;
  const tenThousandth = (quotaOctets - rest) / WHOLE;
  const isReached = (basisPoints: number) =>
    usedOctets >= tenThousandth * basisPoints + Math.ceil((rest * basisPoints) / WHOLE);
  return notifyAtBasisPoints.findLast(isReached) ?? 0;
}

/** Above all thresholds, which are basis points. */
const USED_UP = WHOLE + 1;

/** What each counter of a lane has reached of its quota, as its last update says: 0, a threshold, or all of it. */
export class ReachedThresholds {
  #reached = new Uint16Array(1024);

  /** Notes a counter's update. True if it says that a threshold is reached, or all is used up, and the one before did not. */
  rises(counter: number, remainingOctets: number, thresholdReached: number): boolean {
    if (counter >= this.#reached.length) this.#grow(counter + 1);
    const before = this.#reached[counter];
    this.#reached[counter] = remainingOctets === 0 ? USED_UP : thresholdReached;
    return this.#reached[counter] > before;
  }

  #grow(counters: number): void {
    const larger = new Uint16Array(2 ** Math.ceil(Math.log2(counters)));
    larger.set(this.#reached);
    this.#reached = larger;
  }
}

/**
 * One update for each quota counter that the batch moved, with the state after the batch's last record, to be published
 * once the batch is booked. Has to follow the batch's rating: the counters know the row that moved them last. With `reached` the
 * updates know which of them must not wait.
 */
export function deriveQuotaUpdates(
  batch: FlowBatch,
  lane: Lane,
  catalogue: CatalogueTerms,
  log: Pick<TopicPartition, 'topic' | 'partition'>,
  reached: ReachedThresholds | null = null,
): QuotaUpdates {
  const { counters, planPeriods } = lane;
  const moved = new Uint32Array(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) {
    if (!isCharged(batch.reason[row])) continue;
    const counter = batch.counter[row];
    planPeriods.noteVersionFrom(counters.planPeriod(counter), catalogue.plans[batch.plan[row]].effectiveFromMs);
    if (counters.lastRow(counter) === row) moved[count++] = row;
  }
  const { quotaMoves } = batch;
  const announcer = new QuotaAnnouncer(count + quotaMoves.count, lane, catalogue, log);
  const { updates } = announcer;
  const noteUrgent = (counter: number) => {
    const last = updates.length - 1;
    if (reached?.rises(counter, updates.remainingOctets[last], updates.thresholdReached[last]))
      updates.urgent.push(last);
  };
  for (let at = 0; at < count; at++) {
    const row = moved[at];
    const counter = batch.counter[row];
    const isAnnounced = announcer.announce(
      batch.subscriber[row],
      batch.plan[row],
      counters.planPeriod(counter),
      batch.usedOctetsAfter[row],
      batch.offset[row],
    );
    if (isAnnounced) noteUrgent(counter);
  }
  for (let at = 0; at < quotaMoves.count; at++) {
    const counter = quotaMoves.counter[at];
    const row = quotaMoves.row[at];
    const isAnnounced = announcer.announceFurther(
      counters.subscriber(counter),
      quotaMoves.quota[at],
      counters.planPeriod(counter),
      quotaMoves.usedOctets[at],
      batch.offset[row],
    );
    if (isAnnounced) noteUrgent(counter);
  }
  return updates;
}

const WORDS = 4;

/** What the updates of a batch have in common where they are of the same plan and period. */
export type QuotaUpdateHead = Omit<
  QuotaUpdate,
  'subscriber' | 'usedOctets' | 'remainingOctets' | 'thresholdReached' | 'offset'
>;

/** Octets that one update takes in columns. */
export const UPDATE_OCTETS = 46;

/** Quota updates in columns: the i-th of each array makes the i-th update. Read as a list, it makes an object of each. */
export class QuotaUpdates implements Iterable<QuotaUpdate> {
  readonly heads: QuotaUpdateHead[] = [];
  length = 0;
  /** Indexes of the updates that are never published later than with their batch, ascending. */
  readonly urgent: number[] = [];
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

  /** Copies an update of other columns, under a head of these. */
  set(index: number, head: number, from: QuotaUpdates, at: number): void {
    this.head[index] = head;
    for (let word = 0; word < WORDS; word++) this.subscriber[index * WORDS + word] = from.subscriber[at * WORDS + word];
    this.usedOctets[index] = from.usedOctets[at];
    this.remainingOctets[index] = from.remainingOctets[at];
    this.thresholdReached[index] = from.thresholdReached[at];
    this.offset[index] = from.offset[at];
  }

  /** Copies of some updates, with the heads that these have. */
  select(count: number, indexOf: (at: number) => number): QuotaUpdates {
    const selected = new QuotaUpdates(count);
    const heads = new Map<number, number>();
    for (let at = 0; at < count; at++) {
      const index = indexOf(at);
      const head = heads.get(this.head[index]) ?? selected.heads.push(this.heads[this.head[index]]) - 1;
      heads.set(this.head[index], head);
      selected.set(at, head, this, index);
    }
    selected.length = count;
    return selected;
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

/**
 * What is left of one subscriber's quota: absolute, so the last one wins. Keyed by subscriber and plan; a consumer keeps
 * the one with the highest (`periodStart`, `version`). A further quota has updates of its own, under its id in place of a plan's:
 * what a subscriber has left in an application is the least of the plan and the further quotas that count it.
 */
export interface QuotaUpdate {
  /** Pseudonym, 32 hex digits: an account's in the updates of a quota by account (`isAccountCounter`). */
  subscriber: string;
  sponsorId: string;
  /** Empty: a quota over several plans. */
  applicationId: string;
  /** Or the id of a further quota. */
  planId: string;
  planVersion: number;
  /** First day of the statistics period in the plan's time zone, days since 1970-01-01. */
  periodStart: number;
  quotaOctets: number;
  usedOctets: number;
  remainingOctets: number;
  /** The highest of the plan's notify thresholds that the use has reached, in basis points; 0 below all of them. */
  thresholdReached: number;
  /** Records booked in the lane up to and with the batch that this update is derived from; grows with every batch. */
  version: number;
  topic: string;
  partition: number;
  /** The record that moved the counter last. */
  offset: number;
}

const CONFLUENT_MAGIC = 0;
const CONFLUENT_HEADER_OCTETS = 5;

interface QuotaUpdateCodec {
  /** Throws on an update that the schema does not hold, as on a long beyond 2^53 - 2. */
  encode(update: QuotaUpdate): Buffer;
  /** Throws on bytes that are no quota update, or that name another schema id. */
  decode(value: Uint8Array): QuotaUpdate;
}

/**
 * Quota updates as Avro: bare, or after a Confluent header (octet 0, schema id as u32 big-endian) when `schemaId` is given.
 * `schema` is `schemas/quota-update.avsc`. Its date stays a count of days.
 */
export function quotaUpdateCodec(schema: AvroSchema, schemaId?: number): QuotaUpdateCodec {
  const type = avro.Type.forSchema(schema);
  const header = confluentHeader(schemaId);
  return {
    encode(update) {
      return Buffer.concat([header, type.toBuffer(update)]);
    },
    decode(value) {
      const octets = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (!octets.subarray(0, header.length).equals(header)) throw new Error(`no header of schema ${schemaId}`);
      return { ...type.fromBuffer(octets.subarray(header.length)) };
    },
  };
}

/** The header before a value that names its schema; empty for one that does not. */
export function confluentHeader(schemaId?: number): Buffer {
  if (schemaId === undefined) return Buffer.alloc(0);
  const header = Buffer.alloc(CONFLUENT_HEADER_OCTETS);
  header.writeUInt8(CONFLUENT_MAGIC, 0);
  header.writeUInt32BE(schemaId, 1);
  return header;
}
