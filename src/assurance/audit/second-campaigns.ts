import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';
import { microsOf, type SecondPlan } from './second-plans.ts';
import { firstDayOfPeriod, type SecondRules } from './second-rules.ts';

type CampaignFacts = NonNullable<ReturnType<SecondRules['campaigns']['get']>>;
type Cap = NonNullable<NonNullable<SecondPlan['document']['campaign']>['caps']>[number];

/**
 * Returns why a campaign does not pay for a record: it pays for none now, it does not cover the content, or it is for others. Null: it
 * pays, or the plan is no campaign. `subscriberOf` returns the pseudonym, 32 hex digits.
 */
export function whyCampaignPaysNothing(
  rules: SecondRules,
  plan: SecondPlan,
  record: FlowRecord,
  subscriberOf: () => string,
): Reason | null {
  const { campaign, content } = plan.document;
  if (campaign === undefined) return null;
  const closed = whyCampaignIsClosed(rules, plan, record);
  if (closed !== null) return closed;
  if (content[record.contentType ?? 'unknown'] === undefined) return 'content_not_covered';
  if (campaign.audience === 'everyone') return null;
  return isInAudience(rules, plan, subscriberOf()) ? null : 'not_in_audience';
}

/**
 * Returns why a campaign pays for no record of this period and instant: it is paused, its sponsor has not paid ahead, or one of its
 * caps was reached in the record's window. Null: it pays, or the plan is no campaign.
 */
function whyCampaignIsClosed(
  rules: SecondRules,
  plan: SecondPlan,
  { startTime }: Pick<FlowRecord, 'startTime'>,
): Reason | null {
  const { id, campaign, timeZone } = plan.document;
  if (campaign === undefined) return null;
  const facts = rules.campaigns.get(id);
  if (facts?.isPaused === true) return 'campaign_paused';
  if (campaign.payment === 'prepaid' && facts?.isFunded !== true) return 'campaign_unfunded';
  const windowStarts = {
    day: () => firstDayOfPeriod(rules, { period: 'day', timeZone }, startTime),
    period: () => firstDayOfPeriod(rules, plan.document, startTime),
    whole: () => 0,
  };
  const isReached = (campaign.caps ?? []).some((cap) => hasReached(facts, cap, windowStarts[cap.per]()));
  return isReached ? 'cap_reached' : null;
}

/** A fact about a lower cap than today's says nothing of today's. */
function hasReached(facts: CampaignFacts | undefined, { per, octets, money }: Cap, windowStart: number): boolean {
  const limit = octets === undefined ? microsOf(money ?? '0') : BigInt(octets);
  const unit = octets === undefined ? 'money' : 'octets';
  const ofCap = (facts?.reached ?? []).filter((fact) => fact.per === per && fact.unit === unit);
  return ofCap.some((fact) => fact.windowStart === windowStart && BigInt(fact.limit) >= limit);
}

/** Returns whether a campaign is for this subscriber, by pseudonym of 32 hex digits. */
function isInAudience(rules: SecondRules, { document: { id, campaign } }: SecondPlan, subscriber: string): boolean {
  if (campaign?.audience !== 'opted-in') return true;
  const octets = Buffer.from(subscriber, 'hex');
  const words = Uint32Array.from([0, 4, 8, 12], (at) => octets.readUInt32LE(at));
  return rules.campaigns.get(id)?.audience.has(words, 0) === true;
}
