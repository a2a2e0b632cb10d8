import type { Plan, PriceTier } from './catalogue.ts';
import type { FlowBatch } from './flow-record.ts';
import { finish, mixWord } from './names.ts';
import type { Reason } from './outcome.ts';
import { octetsInHours, type PlanHours } from './plan-hours.ts';

const FIRST_COUNTERS = 1024;

/** A counter's place in memory: one double, and four words after it. */
const DOUBLES = 3;
const WORDS = DOUBLES * 2;
const SUBSCRIBER = 2;
const PLAN_PERIOD = 3;
const CARRY = 4;
const LAST_ROW = 5;

/**
 * The open counters of one lane: what a subscriber has used of a plan in a statistics period. A counter is a small integer,
 * in the order of opening. All that belongs to it lies side by side in 24 octets, for with millions of them every array
 * that is looked into costs a wait for the memory; an open-addressing index, at most half full, finds it.
 */
export class CounterTable {
  #count = 0;
  #index = new Uint32Array(FIRST_COUNTERS * 2); // counter + 1; 0 is free
  #doubles = new Float64Array(FIRST_COUNTERS * DOUBLES);
  #words = new Uint32Array(this.#doubles.buffer);

  get count(): number {
    return this.#count;
  }

  /** The counter, opened at 0 if it was not there. */
  open(subscriber: number, planPeriod: number): number {
    const slot = this.#slot(subscriber, planPeriod);
    if (this.#index[slot] !== 0) return this.#index[slot] - 1;
    this.reserve(this.#count + 1);
    const counter = this.#count++;
    this.#words[counter * WORDS + SUBSCRIBER] = subscriber;
    this.#words[counter * WORDS + PLAN_PERIOD] = planPeriod;
    // Growing has moved the slots.
    this.#index[this.#slot(subscriber, planPeriod)] = counter + 1;
    return counter;
  }

  /** Makes room for so many counters at once: a table that grows step by step holds the old beside the new at each. */
  reserve(counters: number): void {
    let room = this.#doubles.length / DOUBLES;
    if (counters <= room) return;
    while (room < counters) room *= 2;
    const doubles = new Float64Array(room * DOUBLES);
    doubles.set(this.#doubles);
    this.#doubles = doubles;
    this.#words = new Uint32Array(doubles.buffer);
    this.#index = new Uint32Array(room * 2);
    for (let counter = 0; counter < this.#count; counter++) {
      const [subscriber, planPeriod] = [this.#words[counter * WORDS + SUBSCRIBER], this.planPeriod(counter)];
      this.#index[this.#slot(subscriber, planPeriod)] = counter + 1;
    }
  }

  has(subscriber: number, planPeriod: number): boolean {
    return this.#index[this.#slot(subscriber, planPeriod)] !== 0;
  }

  /** Sponsored octets booked. */
  usedOctets(counter: number): number {
    return this.#doubles[counter * DOUBLES];
  }

  /** Ten-thousandths of an octet that the share left over. */
  carry(counter: number): number {
    return this.#words[counter * WORDS + CARRY];
  }

  set(counter: number, usedOctets: number, carry: number): void {
    this.#doubles[counter * DOUBLES] = usedOctets;
    this.#words[counter * WORDS + CARRY] = carry;
  }

  /** Index of the subscriber, or account, whose use it counts. */
  subscriber(counter: number): number {
    return this.#words[counter * WORDS + SUBSCRIBER];
  }

  /** Number of the plan period that it counts in. */
  planPeriod(counter: number): number {
    return this.#words[counter * WORDS + PLAN_PERIOD];
  }

  /** The row that charged it last, or its place in `QuotaMoves`: means something only for the batch that was rated last. */
  lastRow(counter: number): number {
    return this.#words[counter * WORDS + LAST_ROW];
  }

  noteRow(counter: number, row: number): void {
    this.#words[counter * WORDS + LAST_ROW] = row;
  }

  #slot(subscriber: number, planPeriod: number): number {
    const index = this.#index;
    const words = this.#words;
    const mask = index.length - 1;
    let slot = finish(mixWord(mixWord(0, subscriber), planPeriod)) & mask;
    for (let at = index[slot]; at !== 0; at = index[slot]) {
      const counter = (at - 1) * WORDS;
      if (words[counter + SUBSCRIBER] === subscriber && words[counter + PLAN_PERIOD] === planPeriod) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

/** A statistics period of a plan, or of a further quota: what a counter counts in. All versions of one count together. */
export interface PlanPeriod {
  /** Or the id of a further quota. */
  planId: string;
  /** First day, days since 1970-01-01. */
  periodStart: number;
}

/** Names plan periods by small integers. */
export class PlanPeriods {
  readonly #periods: PlanPeriod[] = [];
  readonly #newestFromMs: number[] = [];
  readonly #numbers = new Map<string, Map<number, number>>();

  numberOf(planId: string, periodStart: number): number {
    let byStart = this.#numbers.get(planId);
    if (byStart === undefined) {
      byStart = new Map();
      this.#numbers.set(planId, byStart);
    }
    let number = byStart.get(periodStart);
    if (number === undefined) {
      number = this.#periods.push({ planId, periodStart }) - 1;
      this.#newestFromMs.push(Number.NEGATIVE_INFINITY);
      byStart.set(periodStart, number);
    }
    return number;
  }

  at(number: number): PlanPeriod {
    return this.#periods[number];
  }

  /** The version in force from `effectiveFromMs` counts in a period. */
  noteVersionFrom(number: number, effectiveFromMs: number): void {
    if (effectiveFromMs > this.#newestFromMs[number]) this.#newestFromMs[number] = effectiveFromMs;
  }

  /** When the newest version that counts in a period came into force. */
  newestVersionFrom(number: number): number {
    return this.#newestFromMs[number];
  }

  /** Numbers of the same plan's periods that begin after `periodStart`. */
  laterThan(planId: string, periodStart: number): number[] {
    const later: number[] = [];
    for (const [start, number] of this.#numbers.get(planId) ?? []) if (start > periodStart) later.push(number);
    return later;
  }
}

const WHOLE = 10_000; // basis points
const OCTETS_PER_MIB = 2 ** 20;
const HALF_MIB = 2 ** 19;

/**
 * Content, share, quota, price (rules 2, 3, 4, 6): fills what is sponsored, what it costs and the counter after it, and
 * moves the counter. A counter is canonical: its carry is 0 once the quota, or one beside it, is used up, so that however the
 * traffic was cut into records the same sum leaves the same counter. `leftOfOthers`: what further quotas leave the record.
 */
export function rate(
  batch: FlowBatch,
  row: number,
  plan: Plan,
  counters: CounterTable,
  counter: number,
  leftOfOthers = Number.POSITIVE_INFINITY,
): Reason {
  const usedBefore = counters.usedOctets(counter);
  const carryBefore = counters.carry(counter);
  const octets = plan.hours === null ? batch.octets(row) : octetsWithin(batch, row, plan.hours);
  let left = plan.quotaOctets - usedBefore;
  if (leftOfOthers < left) left = leftOfOthers;
  if (left <= 0) {
    settle(batch, row, 0, 0, usedBefore, carryBefore);
    return 'quota_exhausted';
  }

  // share: x = octets * share + carry, cut so that no product leaves the exact integers
  const share = plan.shareBasisPoints[batch.contentType[row]];
  const rest = octets % WHOLE;
  const restShare = rest * share + carryBefore;
  const bySharing = ((octets - rest) / WHOLE) * share + Math.floor(restShare / WHOLE);

  const reached = bySharing >= left;
  const sponsored = reached ? left : bySharing;
  const usedAfter = usedBefore + sponsored;
  const carryAfter = reached ? 0 : restShare % WHOLE;

  const chargedAfter = cumulativeChargeMicros(plan.tiers, usedAfter);
  if (usedAfter > Number.MAX_SAFE_INTEGER || chargedAfter > Number.MAX_SAFE_INTEGER) return 'charge_out_of_range';
  const charge = chargedAfter - cumulativeChargeMicros(plan.tiers, usedBefore);

  settle(batch, row, sponsored, charge, usedAfter, carryAfter);
  counters.set(counter, usedAfter, carryAfter);
  if (reached) return 'quota_reached';
  return octets === batch.octets(row) ? 'sponsored' : 'partly_in_hours';
}

/** The octets of a record that lie in a plan's hours. */
function octetsWithin(batch: FlowBatch, row: number, hours: PlanHours): number {
  return octetsInHours(hours, batch.octets(row), batch.startTimeMs[row], batch.endTimeMs[row]);
}

function settle(batch: FlowBatch, row: number, sponsored: number, charge: number, used: number, carry: number): void {
  batch.sponsoredOctets[row] = sponsored;
  batch.chargeMicros[row] = charge;
  batch.usedOctetsAfter[row] = used;
  batch.carryAfter[row] = carry;
}

/**
 * F(u): what `octets` sponsored octets of one subscriber and period cost in all, in micro-units:
 * floor((sum over tiers of octets in tier x price in micros per MiB + 2^19) / 2^20). Design section 2, rule 6.
 *
 * Whole MiB and the rest are summed apart, with prices below 2^32, so every product stays below 2^53 and doubles are exact.
 * A result above 2^53 - 1 is not exact; `rate` refuses it.
 */
export function cumulativeChargeMicros(tiers: readonly PriceTier[], octets: number): number {
  let wholeMicros = 0;
  let fraction = 0; // in 2^-20 micros, below 2^20
  let tierStart = 0;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    const inTier = Math.min(octets, upToOctets) - tierStart;
    if (inTier <= 0) break;
    const restOctets = inTier % OCTETS_PER_MIB;
    const rest = fraction + restOctets * pricePerMiBMicros;
    fraction = rest % OCTETS_PER_MIB;
    wholeMicros += ((inTier - restOctets) / OCTETS_PER_MIB) * pricePerMiBMicros + (rest - fraction) / OCTETS_PER_MIB;
    tierStart = upToOctets;
  }
  return fraction >= HALF_MIB ? wholeMicros + 1 : wholeMicros;
}
