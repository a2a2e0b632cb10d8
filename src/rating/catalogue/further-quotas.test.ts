import { describe, expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { catalogueFromCanonicalJson, parseCatalogue } from './catalogue-compile.ts';
import { countedPlans } from './catalogue-succession-faults.ts';
import { compareCatalogues } from './compare-catalogues.ts';

const PLAN = `effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    timeZone: Africa/Johannesburg
    content: { unknown: 10000 }
    quotaOctets: 2000
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]`;
const CATALOGUE = `sponsors:
  - { id: acme, name: Acme, currency: ZAR, creditLimit: "10" }
  - { id: bolt, name: Bolt, currency: ZAR, creditLimit: "10" }
applications:
  - { id: chat, sponsor: acme, tags: [CHAT] }
  - { id: maps, sponsor: acme, tags: [MAPS] }
  - { id: talk, sponsor: bolt, tags: [TALK] }
plans:
  - id: chat-month
    application: chat
    version: 1
    period: month
    windows: [{ period: day, quotaOctets: 300 }, { period: week, quotaOctets: 900, notifyAt: [5000] }]
    ${PLAN}
  - id: maps-day
    application: maps
    version: 4
    period: day
    ${PLAN}
  - id: talk-day
    application: talk
    version: 1
    period: day
    ${PLAN}
quotas:
  - id: acme-all
    sponsor: acme
    version: 1
    effectiveFrom: 2025-01-01T00:00:00Z
    effectiveTo: 2026-01-01T00:00:00Z
    period: month
    timeZone: UTC
    quotaOctets: 5000
    plans: [chat-month, maps-day]
  - id: acme-all
    sponsor: acme
    version: 2
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    quotaOctets: 4000
    plans: [maps-day, chat-month]
`;

function catalogueOf(text: string) {
  const { catalogue, faults } = parseCatalogue(text, 'c.yaml');
  expect(faults?.map(formatFault)).toBeUndefined();
  return catalogue!;
}

test('windows and groups are compiled alike, and a plan knows the versions that its records may count in', () => {
  const catalogue = catalogueOf(CATALOGUE);
  const { plans, furtherQuotas } = catalogue;
  const of2026 = { effectiveFromMs: Date.UTC(2026, 0, 1), effectiveToMs: Number.POSITIVE_INFINITY };
  const ofChat = { version: 1, sponsor: 0, application: 0, timeZone: 'Africa/Johannesburg', ...of2026 };
  expect(furtherQuotas).toEqual([
    { ...ofChat, id: 'chat-month:day', period: 'day', per: 'subscriber', quotaOctets: 300, notifyAtBasisPoints: [] },
    {
      ...ofChat,
      id: 'chat-month:week',
      period: 'week',
      per: 'subscriber',
      quotaOctets: 900,
      notifyAtBasisPoints: [5000],
    },
    expect.objectContaining({ id: 'acme-all', version: 1, application: -1, effectiveToMs: Date.UTC(2026, 0, 1) }),
    expect.objectContaining({ id: 'acme-all', version: 2, sponsor: 0, quotaOctets: 4000, ...of2026 }),
  ]);
  expect(plans.map((plan) => plan.furtherQuotas)).toEqual([[0, 1, 3], [3], []]);
  expect(catalogueFromCanonicalJson(catalogue.canonicalJson)).toEqual(catalogue);
});

test.each<[string, string, string, string]>([
  [
    'the plan’s own period',
    'windows: [{ period: day,',
    'windows: [{ period: month,',
    "13: plans[0].windows[0].period: month is the plan's own period: its quota is quotaOctets of the plan",
  ],
  [
    'two windows of one period',
    'windows: [{ period: day,',
    'windows: [{ period: week,',
    '13: plans[0].windows[1].period: a window by week is already in plans[0].windows[0]: keep the smaller one',
  ],
  [
    'the id of a plan',
    'id: acme-all',
    'id: maps-day',
    '41: quotas[0].id: maps-day is the id of a plan (plans[1]), whose counters have it: choose another id',
  ],
  [
    'a version twice',
    'version: 2\n    effectiveFrom: 2026',
    'version: 1\n    effectiveFrom: 2026',
    '50: quotas[1].id: version 1 of quota acme-all is already in quotas[0]',
  ],
  ['an unknown sponsor', 'sponsor: acme\n', 'sponsor: acne\n', '42: quotas[0].sponsor: no sponsor has the id "acne"'],
  [
    'an unknown plan',
    '[maps-day, chat-month]',
    '[maps-day, chat-week]',
    '58: quotas[1].plans[1]: no plan has the id "chat-week"',
  ],
  [
    'a plan that is named twice',
    '[maps-day, chat-month]',
    '[maps-day, maps-day]',
    '58: quotas[1].plans[1]: maps-day is named twice',
  ],
  [
    'a plan of another sponsor',
    '[maps-day, chat-month]',
    '[maps-day, talk-day]',
    '58: quotas[1].plans[1]: plan talk-day is of bolt, and quota acme-all of acme: a quota is over plans of one sponsor',
  ],
  [
    'versions in force together',
    'effectiveTo: 2026-01-01T00:00:00Z',
    'effectiveTo: 2026-01-02T00:00:00Z',
    '53: quotas[1].effectiveFrom: version 2 of quota acme-all overlaps version 1 (quotas[0]): one version is in force at a time',
  ],
  [
    'an end before the beginning',
    'effectiveTo: 2026-01-01T00:00:00Z',
    'effectiveTo: 2024-01-02T00:00:00Z',
    '45: quotas[0].effectiveTo: 2024-01-02T00:00:00Z is not after effectiveFrom 2025-01-01T00:00:00Z',
  ],
  [
    'versions that count by different periods',
    'period: month\n    timeZone: UTC\n    quotaOctets: 4000',
    'period: week\n    timeZone: UTC\n    quotaOctets: 4000',
    '55: quotas[1].period: week differs from month in version 1 of quota acme-all (quotas[0]): all versions of a quota share one counter, so give this one a new id',
  ],
  [
    'versions of which one counts by account',
    'timeZone: UTC\n    quotaOctets: 4000',
    'timeZone: UTC\n    per: account\n    quotaOctets: 4000',
    '57: quotas[1].per: account differs from subscriber in version 1 of quota acme-all (quotas[0]): all versions of a quota share one counter, so give this one a new id',
  ],
  [
    'a quota of a household',
    'quotaOctets: 4000',
    'per: household\n    quotaOctets: 4000',
    '57: quotas[1].per: expected one of subscriber, account, got "household"',
  ],
  [
    'a window without a quota',
    'quotaOctets: 300',
    'quotaOctets: null',
    '13: plans[0].windows[0].quotaOctets: expected a number, got null',
  ],
])('%s is a fault of its line', (_, from, to, fault) => {
  expect(CATALOGUE).toContain(from);
  const { faults = [] } = parseCatalogue(CATALOGUE.replace(from, to), 'c.yaml');
  const first = faults.map(formatFault)[0];
  expect(first).toBe(`c.yaml:${fault}`);
});

describe('a catalogue that takes over from another', () => {
  const before = countedPlans(catalogueOf(CATALOGUE));
  const faultsOf = (text: string) => (parseCatalogue(text, 'c.yaml', before).faults ?? []).map(formatFault);

  test('may have other amounts, plans and versions, and windows come and go', () => {
    const other = CATALOGUE.replace('4000', '4500').replace('[maps-day, chat-month]', '[maps-day]');
    expect(faultsOf(other.replace(/ {4}windows: .*\n/, ''))).toEqual([]);
    expect(faultsOf(CATALOGUE.slice(0, CATALOGUE.indexOf('quotas:')))).toEqual([]);
  });

  test('keeps what a counter counts by', () => {
    const zone = 'timeZone: UTC';
    expect(faultsOf(CATALOGUE.replaceAll(zone, 'timeZone: Europe/Paris'))).toEqual(
      [47, 56].map(
        (line, at) =>
          `c.yaml:${line}: quotas[${at}].timeZone: Europe/Paris differs from UTC, which quota acme-all has counted by until now: all versions of a quota share one counter, so give this one a new id`,
      ),
    );
  });

  test('keeps whose use a quota counts, and may say what it means without a word', () => {
    const withPer = (per: string) => CATALOGUE.replaceAll('timeZone: UTC', `timeZone: UTC\n    per: ${per}`);
    expect(faultsOf(withPer('subscriber'))).toEqual([]);
    const differs = (from: string, to: string) =>
      `${to} differs from ${from}, which quota acme-all has counted by until now: all versions of a quota share one counter, so give this one a new id`;
    expect(faultsOf(withPer('account'))).toEqual([
      `c.yaml:48: quotas[0].per: ${differs('subscriber', 'account')}`,
      `c.yaml:58: quotas[1].per: ${differs('subscriber', 'account')}`,
    ]);
    const byAccount = countedPlans(catalogueOf(withPer('account')));
    const { faults = [] } = parseCatalogue(CATALOGUE, 'c.yaml', byAccount);
    expect(faults.map(({ message }) => message)).toEqual(Array(2).fill(differs('account', 'subscriber')));
  });

  test('gives no plan the id of a quota, and no quota that of a plan', () => {
    const swapped = CATALOGUE.replaceAll('acme-all', 'x')
      .replaceAll('maps-day', 'acme-all')
      .replaceAll('id: x', 'id: maps-day');
    const [ofPlan, ofQuota] = [
      'plans[1].id: acme-all was the id of a quota over several plans until now',
      'quotas[0].id: maps-day was the id of a plan until now',
    ];
    const faults = faultsOf(swapped);
    expect(faults.some((fault) => fault.includes(ofPlan))).toBe(true);
    expect(faults.some((fault) => fault.includes(ofQuota))).toBe(true);
  });
});

test('what differs is named by quota and field', () => {
  const other = CATALOGUE.replace('4000', '4500').replace('[maps-day, chat-month]', '[chat-month, maps-day]');
  const of = { sponsorId: 'acme', part: 'quota acme-all version 2' };
  const old = catalogueOf(CATALOGUE);
  expect(compareCatalogues(old, catalogueOf(other))).toEqual([
    { ...of, change: 'changed', field: 'quotaOctets', before: 4000, after: 4500 },
  ]);
  const zone = 'timeZone: UTC\n';
  const byAccount = catalogueOf(CATALOGUE.replaceAll(zone, `${zone}    per: account\n`));
  const moved = { change: 'changed', field: 'per', before: undefined, after: 'account' };
  expect(compareCatalogues(old, byAccount)).toEqual([
    { ...of, part: 'quota acme-all version 1', ...moved },
    { ...of, ...moved },
  ]);
  const fewer = catalogueOf(CATALOGUE.replace('[maps-day, chat-month]', '[maps-day]'));
  expect(compareCatalogues(old, fewer)).toEqual([
    { ...of, change: 'changed', field: 'plans', added: [], removed: ['chat-month'] },
  ]);
});
