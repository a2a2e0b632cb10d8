import fc from 'fast-check';
import { Audience, AudienceChangeList } from '../../rating/campaigns/audience.ts';
import type { CampaignFacts, CampaignState } from '../../rating/campaigns/campaigns.ts';
import { CAP_UNITS, CAP_WINDOWS, periodStartDay } from '../../rating/catalogue.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';

/** Caps of few limits, so that facts meet caps that were raised and lowered since. */
const LIMITS = [1, 2_000_000];

const cap = fc
  .record({
    per: fc.constantFrom(...CAP_WINDOWS),
    unit: fc.constantFrom(...CAP_UNITS),
    limit: fc.constantFrom(...LIMITS),
  })
  .map(({ per, unit, limit }) => ({
    key: `${per} ${unit}`,
    document: unit === 'octets' ? { per, octets: limit } : { per, money: (limit / 1e6).toFixed(6) },
  }));

/** The field `campaign` of a plan's document; most plans are no campaigns. */
export const campaignField = fc.oneof(
  { arbitrary: fc.constant({}), weight: 2 },
  fc
    .record({
      payment: fc.constantFrom('postpaid', 'postpaid', 'prepaid'),
      audience: fc.constantFrom('everyone', 'opted-in'),
      caps: fc.uniqueArray(cap, { maxLength: 3, selector: ({ key }) => key }),
    })
    .map(({ caps, ...campaign }) => ({ campaign: { ...campaign, caps: caps.map(({ document }) => document) } })),
);

/** Draws facts about plans. Windows are those that hold an instant in one of the zones, so that many meet a record. */
export function campaignFacts(
  planIds: readonly string[],
  instants: readonly number[],
  zones: readonly string[],
  msisdns: readonly string[],
  key: PseudonymKey,
): fc.Arbitrary<CampaignFacts> {
  const windowStart = fc
    .record({
      instant: fc.constantFrom(...instants),
      zone: fc.constantFrom(...zones),
      period: fc.constantFrom('day', 'week', 'month'),
    })
    .map(({ instant, zone, period }) => periodStartDay(instant, period, zone));
  const reached = fc
    .record({
      per: fc.constantFrom(...CAP_WINDOWS),
      unit: fc.constantFrom(...CAP_UNITS),
      limit: fc.constantFrom(...LIMITS),
      windowStart,
    })
    .map((fact) => ({ ...fact, windowStart: fact.per === 'whole' ? 0 : fact.windowStart }));
  const audience = fc.subarray([...msisdns]).map((optedIn) => {
    const changes = new AudienceChangeList();
    for (const msisdn of optedIn) changes.addOctets(key.pseudonymOf(msisdn), true);
    return Audience.EMPTY.with(changes);
  });
  const state: fc.Arbitrary<CampaignState> = fc.record({
    isPaused: fc.constantFrom(false, false, false, true),
    isFunded: fc.boolean(),
    reached: fc.array(reached, { maxLength: 6 }),
    thresholds: fc.constant([]),
    audience,
  });
  return fc
    .dictionary(fc.constantFrom(...planIds), state, { maxKeys: planIds.length })
    .map((states) => ({ states: new Map(Object.entries(states)), number: 1 }));
}
