import type { FlowRecord } from '../../rating/flow-record.ts';
import { rewrittenName } from '../../rating/lane.ts';
import { type Fault, type Outcome, outcomeOf, REASON_CODE, type Reason } from '../../rating/outcome.ts';
import { fingerprintOf } from '../../rating/record/fingerprint.ts';
import { identityRows, type RestoredIdentities } from '../../rating/restored-columns.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import {
  payingPlan,
  type SecondAmounts,
  SecondCounters,
  type SecondLimitMove,
  SecondPseudonyms,
} from './second-counting.ts';
import { recognise, type SecondApplication } from './second-evidence.ts';
import { firstDayOfPeriod, isClosed, type SecondRules } from './second-rules.ts';

export { type SecondRules, secondRules, withFacts } from './second-rules.ts';

/** The booked charge of a record. */
export interface SecondCharge extends SecondAmounts {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  planId: string;
  planVersion: number;
  /** Days since 1970-01-01. */
  periodStart: number;
  evidence: string;
  /** What it left of the quotas that limit it beside the plan's. */
  limits: readonly SecondLimitMove[];
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
  readonly #pseudonyms: SecondPseudonyms;
  readonly #counters = new SecondCounters();
  readonly #seen: SeenRecords;
  readonly #earlier = new Map<string, number>();
  #earlierTopic = '';
  /** Records whose subscriber was taken from the journal. */
  recordsOfErased = 0;

  constructor(options: { pseudonymKey: PseudonymKey; duplicateWindowRecords: number }) {
    this.#pseudonyms = new SecondPseudonyms(options.pseudonymKey);
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
    const { subscriber, planId, periodStart, usedOctets, carry } = counter;
    this.#counters.restore(subscriber, planId, periodStart, usedOctets, carry);
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
    const paying = payingPlan(rules, application.id, record, subscriberOf);
    if (paying.reason !== null) return ended(paying.reason, application);
    const { plan } = paying;
    const periodStart = firstDayOfPeriod(rules, plan.document, record.startTime);
    if (isClosed(rules, plan, application.sponsor, periodStart)) return ended('period_closed', application);

    const subscriber = subscriberOf();
    const holders = {
      subscriber,
      accountOf: (accountId: string) => this.#pseudonyms.ofAccount(accountId, booked.accounts),
    };
    const { reason, ...counted } = this.#counters.count(rules, record, paying, holders, periodStart);
    if (counted.limits === null) return ended(reason, application);
    const charge: SecondCharge = {
      subscriber,
      sponsorId: application.sponsor,
      applicationId: application.id,
      planId: plan.document.id,
      planVersion: plan.document.version,
      periodStart,
      evidence,
      ...counted,
    };
    return { ...ended(reason, application), charge };
  }

  #subscriberOf(msisdn: string, booked: string | undefined): string {
    const pseudonym = this.#pseudonyms.of(msisdn);
    if (pseudonym !== null) return pseudonym;
    this.recordsOfErased++;
    return booked ?? this.#pseudonyms.ofPresentKey(msisdn);
  }
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
