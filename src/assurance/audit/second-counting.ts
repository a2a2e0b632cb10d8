import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { whyCampaignPaysNothing } from './second-campaigns.ts';
import { firstDayOfPeriod, priceOf, type SecondPlan, type SecondRules, secondPlanFor } from './second-rules.ts';

const BASIS_POINTS = 10_000n;
const LARGEST_BOOKABLE = 2n ** 53n - 1n;

/** The plan that pays for a record, with the record's octets in its hours and its share of them; or why none does, and the plan that said so. */
export type PayingPlan =
  | { reason: null; plan: SecondPlan; octets: bigint; share: number }
  | { reason: Reason; plan: SecondPlan | null };

/** Returns the plan that pays for an application's record. `subscriberOf` returns the pseudonym, 32 hex digits. */
export function payingPlan(
  rules: SecondRules,
  applicationId: string,
  record: FlowRecord,
  subscriberOf: () => string,
): PayingPlan {
  const found = secondPlanFor(rules, applicationId, record, (plan) =>
    whyCampaignPaysNothing(rules, plan, record, subscriberOf),
  );
  if ('reason' in found) return found;
  const share = found.plan.document.content[record.contentType ?? 'unknown'];
  if (share === undefined) return { reason: 'content_not_covered', plan: found.plan };
  return { reason: null, ...found, share };
}

/** What a record moves its plan's counter by. */
export interface SecondAmounts {
  sponsoredOctets: bigint;
  chargeMicros: bigint;
  usedOctetsAfter: bigint;
  carryAfter: bigint;
}

/** What a record left of a quota that limits it beside the plan's. */
export interface SecondLimitMove {
  /** Pseudonym of the subscriber, or of the account. */
  holder: string;
  name: string;
  version: number;
  periodStart: number;
  usedOctetsAfter: bigint;
}

export type SecondCounted =
  | ({ reason: Reason; limits: readonly SecondLimitMove[] } & SecondAmounts)
  | { reason: 'charge_out_of_range'; limits: null };

/** Whom a record counts for: pseudonyms, 32 hex digits. */
export interface SecondHolders {
  subscriber: string;
  accountOf: (accountId: string) => string;
}

/** The counters of one lane, in big integers: shares, quotas and prices of records that come in order. */
export class SecondCounters {
  /** By subscriber, plan and period: the sum of octets x share, in ten-thousandths of an octet, up to the quota. */
  readonly #sums = new Map<string, bigint>();

  /** Restores a plan's counter. */
  restore(subscriber: string, planId: string, periodStart: number, usedOctets: number, carry: number): void {
    this.#sums.set(counterKey(subscriber, planId, periodStart), BigInt(usedOctets) * BASIS_POINTS + BigInt(carry));
  }

  /** Counts a record that a plan pays for in one of its periods. One whose charge is out of range counts nowhere. */
  count(
    rules: SecondRules,
    record: FlowRecord,
    { plan, octets, share }: { plan: SecondPlan; octets: bigint; share: number },
    { subscriber, accountOf }: SecondHolders,
    periodStart: number,
  ): SecondCounted {
    const { startTime, accountId } = record;
    const limits = plan.limits
      .filter(({ fromMs, toMs }) => fromMs <= startTime && startTime < toMs)
      .map((limit) => {
        const begin = firstDayOfPeriod(rules, limit, startTime);
        const holder = limit.byAccount && accountId !== null ? accountOf(accountId) : subscriber;
        return { limit, begin, holder, key: counterKey(holder, limit.name, begin) };
      });
    const rooms = limits.map(({ limit, key }) => limit.octets - this.#usedOf(key));
    const key = counterKey(subscriber, plan.document.id, periodStart);
    const { reason: counted, ...amounts } = this.#move(key, octets * BigInt(share), plan, rooms);
    if (counted === 'charge_out_of_range') return { reason: counted, limits: null };
    const isPart = octets < BigInt(record.uplinkOctets) + BigInt(record.downlinkOctets);
    for (const { key: limitKey } of limits) {
      this.#sums.set(limitKey, (this.#usedOf(limitKey) + amounts.sponsoredOctets) * BASIS_POINTS);
    }
    return {
      reason: isPart && counted === 'sponsored' ? 'partly_in_hours' : counted,
      ...amounts,
      limits: limits.map(({ limit: { name, version }, holder, begin, key: limitKey }) => ({
        holder,
        name,
        version,
        periodStart: begin,
        usedOctetsAfter: this.#usedOf(limitKey),
      })),
    };
  }

  /**
   * Applies share, quota and price: adds a record's octets x share to its counter's sum, and returns the sponsored octets
   * and their charge. `rooms`: octets that other quotas have left for the record.
   */
  #move(key: string, weighted: bigint, plan: SecondPlan, rooms: readonly bigint[]) {
    const sumBefore = this.#sums.get(key) ?? 0n;
    const ends = rooms.map((room) => sumBefore / BASIS_POINTS + room);
    if (plan.quotaOctets !== null) ends.push(plan.quotaOctets);
    const end = ends.reduce<bigint | null>((least, each) => (least === null || each < least ? each : least), null);
    const quota = end === null ? null : end * BASIS_POINTS;
    // An earlier version may have had a larger quota: the sum stays, as sponsored octets are not taken back. What is less than an
    // octet waits for the next one, and stays too where another quota was used up by other records.
    const isExhausted = quota !== null && sumBefore >= quota;
    const isReached = quota !== null && sumBefore + weighted >= quota;
    // Octets above the quota are the subscriber's alone: the sum stops there, and a larger quota continues from there.
    const sumAfter = isExhausted ? sumBefore : isReached ? quota : sumBefore + weighted;
    const usedOctetsAfter = sumAfter / BASIS_POINTS;
    const usedBefore = sumBefore / BASIS_POINTS;
    const priceAfter = priceOf(plan, usedOctetsAfter);
    const amounts: SecondAmounts = {
      sponsoredOctets: usedOctetsAfter - usedBefore,
      chargeMicros: priceAfter - priceOf(plan, usedBefore),
      usedOctetsAfter,
      carryAfter: sumAfter % BASIS_POINTS,
    };
    if (isExhausted) return { reason: 'quota_exhausted', ...amounts } as const;
    const isBookable = usedOctetsAfter <= LARGEST_BOOKABLE && priceAfter <= LARGEST_BOOKABLE;
    if (!isBookable) return { reason: 'charge_out_of_range', ...amounts } as const;
    this.#sums.set(key, sumAfter);
    return { reason: isReached ? 'quota_reached' : 'sponsored', ...amounts } as const;
  }

  #usedOf(key: string): bigint {
    return (this.#sums.get(key) ?? 0n) / BASIS_POINTS;
  }
}

function counterKey(subscriber: string, planId: string, periodStart: number): string {
  return `${subscriber} ${planId} ${periodStart}`;
}

/** The pseudonyms of subscribers and accounts, each computed once. */
export class SecondPseudonyms {
  readonly #key: PseudonymKey;
  /** By number; null: erased, so that the booked pseudonym cannot be computed. */
  readonly #known = new Map<string, string | null>();
  /** The same of accounts. */
  readonly #accounts = new Map<string, string | null>();

  constructor(key: PseudonymKey) {
    this.#key = key;
  }

  /** Returns a number's pseudonym, 32 hex digits; null where the subscriber was erased since. */
  of(msisdn: string): string | null {
    let pseudonym = this.#known.get(msisdn);
    if (pseudonym === undefined) {
      pseudonym = this.#key.isErased(msisdn) ? null : this.ofPresentKey(msisdn);
      this.#known.set(msisdn, pseudonym);
    }
    return pseudonym;
  }

  /** Returns the pseudonym that records of a number have from now on. */
  ofPresentKey(msisdn: string): string {
    return this.#key.pseudonymOf(msisdn).toString('hex');
  }

  /**
   * Returns an account's pseudonym. `booked`: those that the journal has of erased accounts. One that was erased, and that the journal does
   * not name, has moved no counter: any name will do.
   */
  ofAccount(accountId: string, booked?: ReadonlyMap<string, string>): string {
    let pseudonym = this.#accounts.get(accountId);
    if (pseudonym === undefined) {
      pseudonym = this.#key.isAccountErased(accountId) ? null : this.#presentOfAccount(accountId);
      this.#accounts.set(accountId, pseudonym);
    }
    return pseudonym ?? booked?.get(accountId) ?? this.#presentOfAccount(accountId);
  }

  #presentOfAccount(accountId: string): string {
    return this.#key.pseudonymOfAccount(accountId).toString('hex');
  }
}
