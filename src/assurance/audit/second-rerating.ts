import type { FlowRecord } from '../../rating/flow-record.ts';
import type { BookedCharge } from './correction-steps.ts';
import {
  payingPlan,
  type SecondAmounts,
  SecondCounters,
  type SecondHolders,
  type SecondPseudonyms,
} from './second-counting.ts';
import { recognise } from './second-evidence.ts';
import { firstDayOfPeriod, isClosed, type SecondPlan, type SecondRules } from './second-rules.ts';

/** What a correction says of itself: whose charges it rates again, and in which periods. */
export interface CorrectionTerms {
  sponsorId: string;
  currency: string;
  /** Statistics periods that begin in [fromDay, toDay), days since 1970-01-01. */
  fromDay: number;
  toDay: number;
}

/** A record, and its charge when a correction began; null: it had none. */
export interface RecordBefore {
  record: FlowRecord;
  before: BookedCharge | null;
}

/**
 * A correction computed a second time for one lane, in big integers, record by record in lane order. It shares no code with
 * re-rating. Its counters begin at 0, and count the records of the correction's periods alone.
 */
export class SecondRerating {
  readonly #terms: CorrectionTerms;
  readonly #pseudonyms: SecondPseudonyms;
  readonly #counters = new SecondCounters();
  /** Records that were rated. */
  rated = 0;
  /** Records without a charge that would have one, of erased subscribers whose pseudonym no row has. */
  ofErased = 0;

  constructor(terms: CorrectionTerms, pseudonyms: SecondPseudonyms) {
    this.#terms = terms;
    this.#pseudonyms = pseudonyms;
  }

  /**
   * Returns the charge of a record of the source: the one before where the correction does not reach it, null where it has none.
   * `rules`: with the facts of the record's batch. `bookedSubscriber`: of the row that charges it first, for an erased subscriber.
   */
  ofSource(
    { record, before }: RecordBefore,
    rules: SecondRules,
    bookedSubscriber: string | undefined,
  ): BookedCharge | null {
    const { sponsorId } = this.#terms;
    if (before !== null && !this.#reaches(before)) return before;
    const recognised = recognise(rules, record);
    if (recognised.reason !== null || recognised.application.sponsor !== sponsorId) return null;
    if (rules.suspendedSponsorIds.has(sponsorId)) return null;
    const { application, evidence } = recognised;
    const known = before?.subscriber ?? this.#pseudonyms.of(record.servedMsisdn) ?? bookedSubscriber;
    const subscriberOf = () => known ?? this.#pseudonyms.ofPresentKey(record.servedMsisdn);
    const paying = payingPlan(rules, application.id, record, subscriberOf);
    if (paying.reason !== null) return null;
    const periodStart = firstDayOfPeriod(rules, paying.plan.document, record.startTime);
    if (before === null) {
      if (!this.#isWithin(periodStart) || isClosed(rules, paying.plan, sponsorId, periodStart)) return null;
      if (known === undefined) {
        this.ofErased++;
        return null;
      }
    }
    const { reason, ...counted } = this.#counters.count(
      rules,
      record,
      paying,
      this.#holders(subscriberOf()),
      periodStart,
    );
    this.rated++;
    if (counted.limits === null) return null;
    const decided = { applicationId: application.id, evidence, subscriber: subscriberOf(), periodStart, reason };
    return this.#charge(record, decided, paying.plan, counted);
  }

  /**
   * Returns the charge of a record of which only its rows are known: application and evidence stay as booked, and a record
   * that no plan pays for is charged with nothing. `rules`: with the campaign facts of the record's batch.
   */
  ofRows({ record, before }: RecordBefore, rules: SecondRules): BookedCharge | null {
    if (before === null || !this.#reaches(before)) return before;
    this.rated++;
    const { applicationId, evidence, subscriber } = before;
    const paying = payingPlan(rules, applicationId, record, () => subscriber);
    const unpaid = (reason: string) => {
      const decided = { applicationId, evidence, subscriber, periodStart: before.periodStart, reason };
      return this.#charge(record, decided, paying.plan, NOTHING);
    };
    if (paying.reason !== null) return unpaid(paying.reason);
    const periodStart = firstDayOfPeriod(rules, paying.plan.document, record.startTime);
    const { reason, ...counted } = this.#counters.count(rules, record, paying, this.#holders(subscriber), periodStart);
    if (counted.limits === null) return unpaid(reason);
    return this.#charge(record, { applicationId, evidence, subscriber, periodStart, reason }, paying.plan, counted);
  }

  /** Counters begin at 0, so that whatever an account is called it is the same one. */
  #holders(subscriber: string): SecondHolders {
    return { subscriber, accountOf: (accountId) => this.#pseudonyms.ofAccount(accountId) };
  }

  #charge(
    record: FlowRecord,
    decided: Pick<BookedCharge, 'applicationId' | 'evidence' | 'subscriber' | 'periodStart' | 'reason'>,
    plan: SecondPlan | null,
    { sponsoredOctets, chargeMicros, usedOctetsAfter, carryAfter }: SecondAmounts,
  ): BookedCharge {
    const { sponsorId, currency } = this.#terms;
    return {
      sponsorId,
      currency,
      ...decided,
      contentType: record.contentType ?? 'unknown',
      startTime: record.startTime,
      planId: plan?.document.id ?? '',
      planVersion: plan?.document.version ?? 0,
      sponsoredOctets,
      subscriberOctets: BigInt(record.uplinkOctets) + BigInt(record.downlinkOctets) - sponsoredOctets,
      chargeMicros,
      usedOctetsAfter,
      carryAfter,
    };
  }

  /** Whether a charge is the sponsor's, in one of the periods. */
  #reaches({ sponsorId, periodStart }: BookedCharge): boolean {
    return sponsorId === this.#terms.sponsorId && this.#isWithin(periodStart);
  }

  #isWithin(periodStart: number): boolean {
    return periodStart >= this.#terms.fromDay && periodStart < this.#terms.toDay;
  }
}

const NOTHING: SecondAmounts = { sponsoredOctets: 0n, chargeMicros: 0n, usedOctetsAfter: 0n, carryAfter: 0n };
