import {
  type CampaignFacts,
  type CampaignState,
  type ReachedCap,
  UNTOUCHED,
  windowsReached,
} from '../../rating/campaigns/campaigns.ts';
import type { Campaign, CampaignCap, CapUnit, CapWindow, CatalogueTerms } from '../../rating/catalogue.ts';
import { formatMicros } from '../../rating/money.ts';
import { dayText } from '../calendar-day.ts';
import type { CampaignFact, CapFact } from './campaign-fact.ts';

/** Author of the campaign watcher's facts; reserved, as are keys with its prefix. */
export const CAMPAIGN_WATCHER = 'campaign watcher';
export const CAMPAIGN_WATCHER_KEYS = 'watch-';
/** Keys of audience changes have this prefix: it is reserved, too. */
export const AUDIENCE_KEYS = 'audience-';

const WHOLE_BASIS_POINTS = 10_000n;

/** A plan that is a campaign, whichever of its versions is in force. */
export interface WatchedCampaign {
  id: string;
  sponsorId: string;
  currency: string;
  timeZone: string;
  /** Of its versions: prepaid if one is. */
  payment: Campaign['payment'];
  /** Of all versions. */
  caps: readonly CampaignCap[];
}

/** What was used of campaigns in their windows. */
export interface WindowUsage {
  used(campaignId: string, per: CapWindow, unit: CapUnit, windowStart: number): bigint;
  windowStarts(campaignId: string, per: CapWindow): number[];
}

/** Returns the campaigns of a catalogue. */
export function campaignsIn({ plans, applications, sponsors }: CatalogueTerms): WatchedCampaign[] {
  const campaigns = new Map<string, WatchedCampaign>();
  for (const { id, application, timeZone, campaign } of plans) {
    if (campaign === undefined) continue;
    const { id: sponsorId, currency } = sponsors[applications[application].sponsor];
    const known = campaigns.get(id);
    const payment = known?.payment === 'prepaid' ? 'prepaid' : campaign.payment;
    campaigns.set(id, { id, sponsorId, currency, timeZone, payment, caps: [...(known?.caps ?? []), ...campaign.caps] });
  }
  return [...campaigns.values()];
}

/**
 * Returns the facts that the watcher books now: what ends charging comes first, then thresholds. `balanceOf` a sponsor, in
 * micro-units of a currency. `last`: the number that keys name.
 */
export function dueFacts(
  campaigns: readonly WatchedCampaign[],
  { states, number: last }: CampaignFacts,
  usage: WindowUsage,
  balanceOf: (sponsorId: string, currency: string) => bigint,
): CampaignFact[] {
  const due = campaigns.map((campaign) => {
    const state = states.get(campaign.id) ?? UNTOUCHED;
    const funds = fundsFact(campaign, state, balanceOf(campaign.sponsorId, campaign.currency));
    return {
      urgent: [
        ...(funds === null ? [] : [funds]),
        ...campaign.caps.flatMap((cap) => capFacts(campaign, cap, state, usage)),
      ],
      thresholds: campaign.caps.flatMap((cap) => thresholdFacts(campaign, cap, state, usage)),
    };
  });
  const facts = [...due.flatMap(({ urgent }) => urgent), ...due.flatMap(({ thresholds }) => thresholds)];
  return facts.map((fact, at) => ({
    ...fact,
    idempotencyKey: `${CAMPAIGN_WATCHER_KEYS}${fact.campaignId}-${last}-${at}`,
    who: CAMPAIGN_WATCHER,
  }));
}

type DueFact = Omit<CampaignFact, 'idempotencyKey' | 'who'>;

function fundsFact(
  { id: campaignId, payment, currency }: WatchedCampaign,
  { isFunded }: CampaignState,
  balanceMicros: bigint,
): DueFact | null {
  if (payment !== 'prepaid' || isFunded === balanceMicros > 0n) return null;
  const balance = `the sponsor's balance of ${formatMicros(balanceMicros, currency)} is`;
  return isFunded
    ? { kind: 'unfunded', campaignId, why: `${balance} not above 0` }
    : { kind: 'funded', campaignId, why: `${balance} above 0` };
}

function capFacts(campaign: WatchedCampaign, cap: CampaignCap, state: CampaignState, usage: WindowUsage): DueFact[] {
  const known = new Set(windowsReached(cap, state).map(({ windowStart }) => windowStart));
  return usage.windowStarts(campaign.id, cap.per).flatMap((windowStart) => {
    const used = usage.used(campaign.id, cap.per, cap.unit, windowStart);
    if (known.has(windowStart) || used < BigInt(cap.limit)) return [];
    const reached = { ...reachedCap(cap, windowStart), basisPoints: 0, used };
    return [{ kind: 'cap_reached' as const, campaignId: campaign.id, cap: reached, why: usedText(campaign, reached) }];
  });
}

function thresholdFacts(
  campaign: WatchedCampaign,
  cap: CampaignCap,
  state: CampaignState,
  usage: WindowUsage,
): DueFact[] {
  const { per, unit, limit, notifyAtBasisPoints } = cap;
  const ofCap = state.thresholds.filter((known) => known.per === per && known.unit === unit && known.limit === limit);
  const known = new Set(ofCap.map(({ windowStart, basisPoints }) => `${windowStart} ${basisPoints}`));
  return usage.windowStarts(campaign.id, per).flatMap((windowStart) => {
    const used = usage.used(campaign.id, per, unit, windowStart);
    return notifyAtBasisPoints
      .filter((basisPoints) => !known.has(`${windowStart} ${basisPoints}`))
      .filter((basisPoints) => used * WHOLE_BASIS_POINTS >= BigInt(limit) * BigInt(basisPoints))
      .map((basisPoints) => {
        const reached = { ...reachedCap(cap, windowStart), basisPoints, used };
        return {
          kind: 'threshold_reached' as const,
          campaignId: campaign.id,
          cap: reached,
          why: usedText(campaign, reached),
        };
      });
  });
}

function reachedCap({ per, unit, limit }: CampaignCap, windowStart: number): ReachedCap {
  return { per, unit, limit, windowStart };
}

function usedText({ currency }: WatchedCampaign, { used, ...cap }: CapFact): string {
  return `${amountText(used, cap.unit, currency)} used of ${capText(cap, currency)}`;
}

/** Returns a cap in words, as `5.00 USD on 2026-11-02`. */
export function capText({ per, unit, limit, windowStart }: ReachedCap, currency: string): string {
  const window = {
    day: `on ${dayText(windowStart)}`,
    period: `in the period from ${dayText(windowStart)}`,
    whole: 'in the whole campaign',
  }[per];
  return `${amountText(BigInt(limit), unit, currency)} ${window}`;
}

/** Returns octets or money in words. */
export function amountText(amount: bigint, unit: CapUnit, currency: string): string {
  return unit === 'money' ? formatMicros(amount, currency) : `${amount} octets`;
}
