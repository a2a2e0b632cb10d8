import type { FlowRecord } from '../../rating/flow-record.ts';
import { rewrittenName } from '../../rating/lane.ts';
import { type Fault, type Outcome, outcomeOf, REASON_CODE, type Reason } from '../../rating/outcome.ts';
import { fingerprintOf } from '../../rating/record/fingerprint.ts';
import { identityRows, type RestoredIdentities } from '../../rating/restored-columns.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { whyCampaignPaysNothing } from './second-campaigns.ts';
import { recognise, type SecondApplication } from './second-evidence.ts';
import {
  firstDayOfPeriod,
  isClosed,
  priceOf,
  type SecondPlan,
  type SecondRules,
  secondPlanFor,
} from './second-rules.ts';

export { type SecondRules, secondRules, withFacts } from './second-rules.ts';

const BASIS_POINTS = 10_000n;
const LARGEST_BOOKABLE = 2n ** 53n - 1n;

/** The booked charge of a record. */
export interface SecondCharge {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  planId: string;
  planVersion: number;
  /** Days since 1970-01-01. */
  periodStart: number;
  evidence: string;
  sponsoredOctets: bigint;
  chargeMicros: bigint;
  usedOctetsAfter: bigint;
  carryAfter: bigint;
  /** What it left of the quotas that limit it beside the plan's; `holder`: pseudonym of the subscriber, or of the account. */
  limits: readonly { holder: string; name: string; version: number; periodStart: number; usedOctetsAfter: bigint }[];
}

/** The journal's pseudonyms of whom a record counts for. */
export interface BookedHolders {
  subscriber?: string | undefined;
  /** Of accounts that were erased. */
  accounts?: ReadonlyMap<string, string>;
}

export interface SecondOutcome {
  outcome: Outcome;
  reason: Reason;
  /** Empty where none was recognised. */
  applicationId: string;
  /** null unless the outcome is `charged`. */
  charge: SecondCharge | null;
}

/**
 * The rules of billing computed a second time, to check the engine: record by record, from the catalogue's document, in big
 * integers, as simply as possible. It shares no rating code with the engine on purpose: an error in one of them is then not
 * in the other.
 */
export class SecondComputation {
  readonly #pseudonymKey: PseudonymKey;
  /** Null: erased, so that the booked pseudonym cannot be computed. */
  readonly #pseudonyms = new Map<string, string | null>();
  /** The same of accounts. */
  readonly #accounts = new Map<string, string | null>();
  /** By subscriber, plan and period: the sum of octets x share, in ten-thousandths of an octet, up to the quota. */
  readonly #sums = new Map<string, bigint>();
  readonly #seen: SeenRecords;
  readonly #earlier = new Map<string, number>();
  #earlierTopic = '';
  /** Records whose subscriber was taken from the journal. */
  recordsOfErased = 0;

  constructor(options: { pseudonymKey: PseudonymKey; duplicateWindowRecords: number }) {
    this.#pseudonymKey = options.pseudonymKey;
    this.#seen = new SeenRecords(options.duplicateWindowRecords);
  }

  /** Restores a counter from the journal, for a source that no longer has the lane's first records. */
  restoreCounter(counter: {
    subscriber: string;
    planId: string;
    periodStart: number;
    usedOctets: number;
    carry: number;
  }): void {
    const key = counterKey(counter.subscriber, counter.planId, counter.periodStart);
    this.#sums.set(key, BigInt(counter.usedOctets) * BASIS_POINTS + BigInt(counter.carry));
  }

  /** Restores an identity that a record claimed. */
  restoreIdentity(seen: { ordinal: number; nodeId: string; sequence: number; fingerprint: number }): void {
    this.#seen.claim(seen.ordinal, seen.nodeId, seen.sequence, seen.fingerprint);
  }

  /** Adds the identities that earlier generations of a rewritten file claimed; call it before records of the log. */
  async recallEarlier(topic: string, read: () => AsyncIterable<RestoredIdentities>): Promise<void> {
    if (topic === this.#earlierTopic) return;
    this.#earlierTopic = topic;
    this.#earlier.clear();
    if (rewrittenName(topic) === null) return;
    for await (const chunk of read()) {
      for (const { nodeId, sequence, fingerprint } of identityRows(chunk)) {
        const key = identityKey(nodeId, sequence);
        if (!this.#earlier.has(key)) this.#earlier.set(key, fingerprint);
      }
    }
  }

  /**
   * Computes the outcome of a record. Records of one lane come in order; `ordinal` is the record's place in the lane, from
   * 0. A Fault failed validation. `booked` is what the journal says of whom the record counts for: it is used for a subscriber or an
   * account that was erased since, and for no other.
   */
  compute(ordinal: number, record: FlowRecord | Fault, rules: SecondRules, booked: BookedHolders = {}): SecondOutcome {
    if ('reason' in record) return ended(record.reason);
    const { nodeId, localSequenceNumber } = record;
    const fingerprint = fingerprintOf(record);
    const before =
      this.#seen.fingerprint(ordinal, nodeId, localSequenceNumber) ??
      this.#earlier.get(identityKey(nodeId, localSequenceNumber));
    if (before !== undefined) return ended(before === fingerprint ? 'duplicate' : 'conflicting_duplicate');
    const outcome = this.#rate(record, rules, booked);
    // A rejected record claims nothing: corrected, it may come again.
    if (outcome.reason !== 'period_closed') this.#seen.claim(ordinal, nodeId, localSequenceNumber, fingerprint);
    return outcome;
  }

  #rate(record: FlowRecord, rules: SecondRules, booked: BookedHolders): SecondOutcome {
    const recognised = recognise(rules, record);
    if (recognised.reason !== null) return ended(recognised.reason, recognised.application);
    const { application, evidence } = recognised;
    if (rules.suspendedSponsorIds.has(application.sponsor)) return ended('sponsor_suspended', application);
    let named: string | undefined;
    const subscriberOf = () => {
      named ??= this.#subscriberOf(record.servedMsisdn, booked.subscriber);
      return named;
    };
    const found = secondPlanFor(rules, application.id, record, (plan) =>
      whyCampaignPaysNothing(rules, plan, record, subscriberOf),
    );
    if (typeof found === 'string') return ended(found, application);
    const { plan, octets } = found;
    const share = plan.document.content[record.contentType ?? 'unknown'];
    if (share === undefined) return ended('content_not_covered', application);

    const { startTime } = record;
    const periodStart = firstDayOfPeriod(rules, plan.document, startTime);
    if (isClosed(rules, plan, application.sponsor, periodStart)) return ended('period_closed', application);

    const subscriber = subscriberOf();
    const { id: planId, version: planVersion } = plan.document;
    const key = counterKey(subscriber, planId, periodStart);
    const limits = plan.limits
      .filter(({ fromMs, toMs }) => fromMs <= startTime && startTime < toMs)
      .map((limit) => {
        const begin = firstDayOfPeriod(rules, limit, startTime);
        const { accountId } = record;
        const isOfAccount = limit.byAccount && accountId !== null;
        const holder = isOfAccount ? this.#accountOf(accountId, booked.accounts) : subscriber;
        return { limit, begin, holder, key: counterKey(holder, limit.name, begin) };
      });
    const rooms = limits.map(({ limit, key: limitKey }) => limit.octets - this.#usedOf(limitKey));
    const { reason: counted, ...amounts } = this.#count(key, octets * BigInt(share), plan, rooms);
    const isPart = octets < BigInt(record.uplinkOctets) + BigInt(record.downlinkOctets);
    const reason = isPart && counted === 'sponsored' ? 'partly_in_hours' : counted;
    if (reason === 'charge_out_of_range') return ended(reason, application);
    for (const { key: limitKey } of limits) {
      this.#sums.set(limitKey, (this.#usedOf(limitKey) + amounts.sponsoredOctets) * BASIS_POINTS);
    }
    const charge: SecondCharge = {
      subscriber,
      sponsorId: application.sponsor,
      applicationId: application.id,
      planId,
      planVersion,
      periodStart,
      evidence,
      ...amounts,
      limits: limits.map(({ limit: { name, version }, holder, begin, key: limitKey }) => ({
        holder,
        name,
        version,
        periodStart: begin,
        usedOctetsAfter: this.#usedOf(limitKey),
      })),
    };
    return { ...ended(reason, application), charge };
  }

  /**
   * Applies share, quota and price: adds a record's octets x share to its counter's sum, and returns the sponsored octets
   * and their charge. `rooms`: octets that other quotas have left for the record.
   */
  #count(key: string, weighted: bigint, plan: SecondPlan, rooms: readonly bigint[]) {
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
    const amounts = {
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

  #subscriberOf(msisdn: string, booked: string | undefined): string {
    let pseudonym = this.#pseudonyms.get(msisdn);
    if (pseudonym === undefined) {
      const isErased = this.#pseudonymKey.isErased(msisdn);
      pseudonym = isErased ? null : this.#pseudonymKey.pseudonymOf(msisdn).toString('hex');
      this.#pseudonyms.set(msisdn, pseudonym);
    }
    if (pseudonym !== null) return pseudonym;
    this.recordsOfErased++;
    return booked ?? this.#pseudonymKey.pseudonymOf(msisdn).toString('hex');
  }

  /** An account that was erased, and that the journal does not name, has moved no counter: any name will do. */
  #accountOf(accountId: string, booked: ReadonlyMap<string, string> | undefined): string {
    let pseudonym = this.#accounts.get(accountId);
    if (pseudonym === undefined) {
      const isErased = this.#pseudonymKey.isAccountErased(accountId);
      pseudonym = isErased ? null : this.#pseudonymKey.pseudonymOfAccount(accountId).toString('hex');
      this.#accounts.set(accountId, pseudonym);
    }
    return pseudonym ?? booked?.get(accountId) ?? this.#pseudonymKey.pseudonymOfAccount(accountId).toString('hex');
  }
}

function counterKey(subscriber: string, planId: string, periodStart: number): string {
  return `${subscriber} ${planId} ${periodStart}`;
}

function ended(reason: Reason, application?: SecondApplication): SecondOutcome {
  return { outcome: outcomeOf(REASON_CODE[reason]), reason, applicationId: application?.id ?? '', charge: null };
}

/** The identities that the last `window` records of a lane claimed. */
class SeenRecords {
  readonly #window: number;
  /** A generation spans `window` ordinals, so that an identity in the window is in this generation or the one before. */
  readonly #generations = new Map<number, Map<string, { ordinal: number; fingerprint: number }>>();

  constructor(window: number) {
    this.#window = window;
  }

  /**
   * Returns the fingerprint of the record that claimed the identity, unless it is outside the window of the record at
   * `ordinal`.
   */
  fingerprint(ordinal: number, nodeId: string, sequence: number): number | undefined {
    const now = Math.floor(ordinal / this.#window);
    const key = identityKey(nodeId, sequence);
    const claim = this.#generations.get(now)?.get(key) ?? this.#generations.get(now - 1)?.get(key);
    return claim !== undefined && ordinal < claim.ordinal + this.#window ? claim.fingerprint : undefined;
  }

  claim(ordinal: number, nodeId: string, sequence: number, fingerprint: number): void {
    const now = Math.floor(ordinal / this.#window);
    for (const past of this.#generations.keys()) if (past < now - 1) this.#generations.delete(past);
    const generation = this.#generations.get(now) ?? new Map();
    this.#generations.set(now, generation.set(identityKey(nodeId, sequence), { ordinal, fingerprint }));
  }
}

function identityKey(nodeId: string, sequence: number): string {
  return `${sequence} ${nodeId}`;
}
