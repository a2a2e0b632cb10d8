import { describe, expect, test } from 'vitest';
import { parseCatalogue } from '../catalogue/catalogue-compile.ts';
import { NO_FACTS, Rules } from '../rules.ts';
import { asValue, rateValues, testLane, testRecord } from '../traffic.fixture.ts';
import { Audience, AudienceChangeList } from './audience.ts';
import { type CampaignState, type ReachedCap, UNTOUCHED } from './campaigns.ts';

const MSISDN = '999000000001';

function catalogueOf(campaign: string) {
  const text = `
sponsors:
  - { id: acme, name: Acme, currency: USD, creditLimit: "1000" }
applications:
  - { id: any, sponsor: acme, prefixes: [198.51.100.0/24] }
plans:
  - id: launch
    application: any
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: Asia/Kathmandu
    content: { unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]
    campaign: ${campaign}
`;
  const { catalogue, faults } = parseCatalogue(text, 'c.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

const DAY_MS = 86_400_000;
const day = (text: string) => Date.parse(text) / DAY_MS;
/** In Kathmandu it is a quarter to six in the morning of the next day. */
const EVENING_MS = Date.UTC(2026, 10, 10, 20);

function reasonOf(
  campaign: string,
  state: Partial<CampaignState> = {},
  record: Parameters<typeof testRecord>[0] = {},
): string {
  const campaigns = { states: new Map([['launch', { ...UNTOUCHED, ...state }]]), number: 1 };
  const rules = new Rules(catalogueOf(campaign), { ...NO_FACTS, campaigns });
  const value = asValue(testRecord({ servedMsisdn: MSISDN, startTime: EVENING_MS, endTime: EVENING_MS, ...record }));
  return rateValues([value], testLane(), rules).rated[0].reason;
}

const OPEN = '{ payment: postpaid, audience: everyone }';
const CAPPED =
  '{ payment: postpaid, audience: everyone, caps: [{ per: day, octets: 100 }, { per: period, money: "5" }, { per: whole, octets: 1000 }] }';
const reached = (cap: Partial<ReachedCap>): Pick<CampaignState, 'reached'> => ({
  reached: [{ per: 'day', unit: 'octets', limit: 100, windowStart: day('2026-11-11'), ...cap }],
});

describe('a campaign', () => {
  test('without facts pays as a plan does', () => {
    expect(reasonOf(OPEN)).toBe('sponsored');
    expect(reasonOf(CAPPED)).toBe('sponsored');
  });

  test('pays nothing while it is paused', () => {
    expect(reasonOf(OPEN, { isPaused: true })).toBe('campaign_paused');
  });

  test('that is prepaid pays only once its sponsor has paid ahead', () => {
    const prepaid = '{ payment: prepaid, audience: everyone }';
    expect(reasonOf(prepaid)).toBe('campaign_unfunded');
    expect(reasonOf(prepaid, { isFunded: true })).toBe('sponsored');
    expect(reasonOf(prepaid, { isPaused: true })).toBe('campaign_paused');
  });

  test.each<[string, Partial<ReachedCap>, string]>([
    ['a cap of the record’s day in the plan’s zone', {}, 'cap_reached'],
    ['a cap of the day before', { windowStart: day('2026-11-10') }, 'sponsored'],
    [
      'a cap of the period',
      { per: 'period', unit: 'money', limit: 5_000_000, windowStart: day('2026-11-01') },
      'cap_reached',
    ],
    [
      'a cap of another period',
      { per: 'period', unit: 'money', limit: 5_000_000, windowStart: day('2026-10-01') },
      'sponsored',
    ],
    ['a cap of the whole campaign', { per: 'whole', limit: 1000, windowStart: 0 }, 'cap_reached'],
    ['a cap that was raised since', { limit: 99 }, 'sponsored'],
    ['a cap that was lowered since', { limit: 101 }, 'cap_reached'],
    ['a cap in another unit', { unit: 'money' }, 'sponsored'],
  ])('that has reached %s: %o', (_, cap, reason) => {
    expect(reasonOf(CAPPED, reached(cap))).toBe(reason);
  });

  test('is for those who opted in, and asks for content before it asks who', () => {
    const campaign = '{ payment: postpaid, audience: opted-in }';
    const changes = new AudienceChangeList();
    const { subscribers } = testLane();
    changes.addOctets(subscribers.pseudonym(subscribers.ofMsisdn(MSISDN)), true);
    const audience = Audience.EMPTY.with(changes);
    expect(reasonOf(campaign)).toBe('not_in_audience');
    expect(reasonOf(campaign, { audience })).toBe('sponsored');
    expect(reasonOf(campaign, { audience }, { servedMsisdn: '999000000002' })).toBe('not_in_audience');
    expect(reasonOf(campaign, {}, { contentType: 'text' })).toBe('content_not_covered');
    expect(reasonOf(campaign, { isPaused: true }, { contentType: 'text' })).toBe('campaign_paused');
  });

  test('may be for a plan alone: facts about other plans mean nothing', () => {
    const { catalogue } = new Rules(catalogueOf(OPEN));
    const campaigns = { states: new Map([['other', { ...UNTOUCHED, isPaused: true }]]), number: 3 };
    const rules = new Rules(catalogue, { ...NO_FACTS, campaigns });
    expect(rateValues([asValue(testRecord())], testLane(), rules).rated[0].reason).toBe('sponsored');
    expect(rules.with({ ...NO_FACTS, campaigns })).toBe(rules);
    expect(rules.with(NO_FACTS)).not.toBe(rules);
  });
});

test('rules of a catalogue without campaigns do not change with facts about campaigns', () => {
  const document = JSON.parse(catalogueOf(OPEN).canonicalJson);
  delete document.plans[0].campaign;
  const { catalogue } = parseCatalogue(JSON.stringify(document), 'c.yaml');
  const rules = new Rules(catalogue as NonNullable<typeof catalogue>);
  expect(rules.campaigns).toBeNull();
  expect(rules.with({ ...NO_FACTS, campaigns: { states: new Map(), number: 9 } })).toBe(rules);
});

describe('of several plans by order', () => {
  const document = JSON.parse(catalogueOf('{ payment: postpaid, audience: opted-in }').canonicalJson);
  const [launch] = document.plans;
  const { campaign, ...everyone } = launch;
  const orderedReason = (plans: object[], isPaused: boolean, record: Parameters<typeof testRecord>[0] = {}) => {
    const { catalogue, faults } = parseCatalogue(JSON.stringify({ ...document, plans }), 'c.yaml');
    if (catalogue === undefined) throw new Error(JSON.stringify(faults));
    const campaigns = { states: new Map([['launch', { ...UNTOUCHED, isPaused }]]), number: 1 };
    const rules = new Rules(catalogue, { ...NO_FACTS, campaigns });
    const { rated } = rateValues([asValue(testRecord(record))], testLane(), rules);
    return [rated[0].reason, catalogue.plans[rated[0].plan]?.id];
  };
  const first = { ...launch, order: 1 };

  test('the next one pays where the campaign is not in force for the record', () => {
    const plans = [first, { ...everyone, id: 'base', order: 2 }];
    expect(orderedReason(plans, false)).toEqual(['sponsored', 'base']);
    expect(orderedReason(plans, true)).toEqual(['sponsored', 'base']);
  });

  test('one behind it pays for content that the campaign does not cover', () => {
    const plans = [first, { ...everyone, id: 'base', order: 2, content: { text: 5000 } }];
    expect(orderedReason(plans, false, { contentType: 'text' })).toEqual(['sponsored', 'base']);
  });

  test('the last one that is asked gives the reason', () => {
    const second = { ...launch, id: 'second', order: 2 };
    expect(orderedReason([first, second], true)).toEqual(['not_in_audience', 'second']);
    const hours = { hours: [{ days: ['monday'], from: '00:00', to: '00:01' }] };
    expect(orderedReason([first, { ...everyone, id: 'base', order: 2, conditions: hours }], true)[0]).toBe(
      'conditions_not_met',
    );
  });
});
