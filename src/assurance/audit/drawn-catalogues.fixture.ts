import fc from 'fast-check';
import { catalogueFromCanonicalJson } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { CONTENT_TYPES } from '../../rating/flow-record.ts';
import { campaignField } from './drawn-campaigns.fixture.ts';
import { conditions, PLACES } from './drawn-conditions.fixture.ts';

const APPLICATIONS = 4;
export const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Sao_Paulo',
  'America/St_Johns',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Africa/Monrovia',
];
/** Instants at irregular days of one of the zones. Most records are at these, so that counters are met again. */
export const INSTANTS = [
  Date.UTC(1970, 0, 1),
  Date.UTC(1972, 0, 7),
  Date.UTC(2006, 9, 29, 2, 31), // St. John's goes back over midnight
  Date.UTC(2011, 11, 30, 10), // Apia leaves out a day
  Date.UTC(2018, 10, 4, 3), // São Paulo has no midnight
  Date.UTC(2026, 2, 29, 1), // Berlin
  Date.UTC(2027, 0, 1),
  Date.UTC(2149, 5, 5),
];
const NETWORKS = [
  '0.0.0.0/0',
  '198.51.0.0/16',
  '198.51.0.0/24', // begins where the one that holds it does
  '198.51.100.0/24',
  '198.51.100.64/26',
  '198.51.100.70/32',
  '2000::/3',
  '2001:db8::/32',
  '2001:db8::/64',
  '2001:db8:1::/48',
  '2001:db8:1:0:8000::/65',
  '2001:db8:1::5/128',
];
export const ADDRESSES = [
  '8.8.8.8',
  '198.51.0.1',
  '198.51.1.1',
  '198.51.100.1',
  '198.51.100.64',
  '198.51.100.70',
  '::ffff:198.51.100.71',
  '::ffff:c633:6446',
  '::198.51.100.70',
  'fe80::1',
  '2001:db8:ffff::',
  '2001:db8::1',
  '2001:DB8:1:0:8000:0:0:1',
  '2001:db8:1::5',
  '2001:db8:1:0:7fff:ffff:1.2.3.4',
];
export const TAGS = ['A', 'B', 'C', 'D', 'E', 'É '];
export const IDENTITIES = ['x', 'y', 'z', 'É '];
/** Ids of all plans that a drawn catalogue may have. */
export const PLAN_IDS = Array.from({ length: APPLICATIONS }, (_, i) =>
  ['first', 'second', 'order-1', 'order-2', 'order-7'].map((name) => `a${i}-${name}`),
).flat();
/** What gateways detect of the applications: one is sponsored by it alone. */
const DETECTED = [{ detectedNames: ['chat'] }, { detectedNames: ['maps'], detection: 'alone' }, {}, {}] as const;
const iso = (timeMs: number) => new Date(timeMs).toISOString();
/** Draws a rare value now and then. */
export const mostly = <T, U>(often: fc.Arbitrary<T>, rarely: fc.Arbitrary<U>) =>
  fc.oneof({ arbitrary: often, weight: 24 }, { arbitrary: rarely, weight: 1 });

const price = fc.oneof(
  fc.constantFrom('0', '0.524288', '0.000001', '99.999999', '4294.967295'),
  fc.nat({ max: 2 ** 32 - 1 }).map((micros) => (micros / 1e6).toFixed(6)),
);
const tiers = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 30_000 }), { maxLength: 3 }),
    fc.array(price, { minLength: 4, maxLength: 4 }),
  )
  .map(([ends, prices]) =>
    [...ends.sort((a, b) => a - b), null].map((upToOctets, i) => ({ upToOctets, pricePerMiB: prices[i] })),
  );
const share = fc.oneof(fc.constantFrom(0, 1, 3333, 9999, 10_000, 10_000), fc.integer({ min: 0, max: 10_000 }));
const furtherQuota = fc.oneof(fc.nat({ max: 20_000 }), fc.nat({ max: 20_000 }), fc.constant(2 ** 53 - 1));
const version = fc.record({
  kind: fc.constantFrom('first', 'first', 'first', 'second', 'second', 'gap'),
  content: fc.oneof(
    fc.constant(Object.fromEntries(CONTENT_TYPES.map((type) => [type, 7777]))),
    fc.dictionary(fc.constantFrom(...CONTENT_TYPES), share, { minKeys: 3 }),
  ),
  quotaOctets: fc.oneof(
    fc.constantFrom(null, null, null, 0, 2000, 5000, 2 ** 53 - 1),
    fc.integer({ min: 1, max: 60_000 }),
  ),
  tiers,
  windows: fc.oneof(
    { arbitrary: fc.constant({}), weight: 3 },
    { arbitrary: fc.dictionary(fc.constantFrom('day', 'week', 'month'), furtherQuota), weight: 2 },
  ),
  latePolicy: fc.constantFrom('adjust', 'refuse'),
  own: campaignField,
  conditions: fc.option(conditions, { freq: 2, nil: undefined }),
});
/** Plans that are looked at before the others, always in force. */
const orderedPlans = fc.array(
  fc.record({ order: fc.constantFrom(1, 2, 7), terms: version, timeZone: fc.constantFrom(...ZONES) }),
  { maxLength: 2 },
);
/** Boundaries between versions of plans: every other instant. */
const TURNS = INSTANTS.filter((_, i) => i % 2 === 0);
/** Two plans of an application, whose versions alternate, with gaps between them. */
const plansOfApplication = fc.record({
  calendars: fc.array(
    fc.record({ period: fc.constantFrom('day', 'week', 'month'), timeZone: fc.constantFrom(...ZONES) }),
    { minLength: 2, maxLength: 2 },
  ),
  turns: fc.array(version, { minLength: TURNS.length, maxLength: TURNS.length }),
  ordered: fc.oneof({ arbitrary: fc.constant([]), weight: 2 }, orderedPlans),
});
/** Of each sponsor a quota over some of its plans, perhaps, in two versions or one, and with a gap between them or none. */
const groupsOfSponsor = fc.option(
  fc.record({
    calendar: fc.record({ period: fc.constantFrom('day', 'week', 'month'), timeZone: fc.constantFrom(...ZONES) }),
    members: fc.array(fc.boolean(), { minLength: APPLICATIONS * 2, maxLength: APPLICATIONS * 2 }),
    quotas: fc.array(furtherQuota, { minLength: 2, maxLength: 2 }),
    turns: fc.subarray([...INSTANTS], { minLength: 1, maxLength: 3 }),
    holder: fc.constantFrom({}, { per: 'subscriber' }, { per: 'account' }, { per: 'account' }),
  }),
  { freq: 2 },
);
const owner = fc.integer({ min: -1, max: APPLICATIONS - 1 });
/** Who claims one word: always, or until an instant, from there to another, and from that on. */
const claims = fc.oneof(
  owner.map((always) => [{ owner: always, dates: {} }]),
  fc
    .tuple(fc.subarray([...INSTANTS], { minLength: 2, maxLength: 2 }), fc.array(owner, { minLength: 3, maxLength: 3 }))
    .map(([turns, [before, between, after]]) => {
      const [from, to] = turns.map(iso);
      return [
        { owner: before, dates: { to: from } },
        { owner: between, dates: { from, to } },
        { owner: after, dates: { from: to } },
      ];
    }),
);
type Claims = typeof claims extends fc.Arbitrary<infer T> ? T : never;
const claimsOf = (words: readonly string[]) => fc.array(claims, { minLength: words.length, maxLength: words.length });

/** Returns a field of an application, absent where it claims none. */
function claimed(field: string, key: string, words: readonly string[], drawn: readonly Claims[], application: number) {
  const own = words.flatMap((word, at) =>
    drawn[at]
      .filter((claim) => claim.owner === application)
      .map(({ dates }) => (Object.keys(dates).length === 0 ? word : { [key]: word, ...dates })),
  );
  return own.length === 0 ? {} : { [field]: own };
}

/** One plan of each order. */
function uniqueOrders<T extends { order: number }>(ordered: readonly T[]): T[] {
  return ordered.filter(({ order }, at) => ordered.findIndex((each) => each.order === order) === at);
}

/** Draws any catalogue that passes the checks, compiled for the engine. */
export const catalogues = fc
  .record({
    policies: fc.array(fc.constantFrom('any', 'any', 'any', 'any', 'tag', 'ip', 'both', 'cdr', 'detected'), {
      minLength: APPLICATIONS,
      maxLength: APPLICATIONS,
    }),
    tags: claimsOf(TAGS),
    aspIdentities: claimsOf(IDENTITIES),
    sponsorIdentities: claimsOf(IDENTITIES),
    networks: claimsOf(NETWORKS),
    plans: fc.array(plansOfApplication, { minLength: APPLICATIONS, maxLength: APPLICATIONS }),
    groups: fc.tuple(groupsOfSponsor, groupsOfSponsor),
  })
  .map(({ policies, tags, aspIdentities, sponsorIdentities, networks, plans, groups }): Catalogue => {
    const drawnPlans = plans.flatMap(({ calendars, turns, ordered }, i) => [
      ...turns.flatMap(({ kind, windows, own, ...terms }, turn) => {
        if (kind === 'gap') return [];
        const calendar = calendars[kind === 'first' ? 0 : 1];
        const further = Object.entries(windows)
          .filter(([period]) => period !== calendar.period)
          .map(([period, quotaOctets]) => ({ period, quotaOctets }));
        return {
          id: `a${i}-${kind}`,
          application: `a${i}`,
          version: turn + 1,
          effectiveFrom: iso(TURNS[turn]),
          effectiveTo: turn + 1 < turns.length ? iso(TURNS[turn + 1]) : null,
          ...calendar,
          ...(further.length > 0 && { windows: further }),
          ...terms,
          ...own,
        };
      }),
      ...uniqueOrders(ordered).map(({ order, timeZone, terms: { kind: _, windows: __, own, ...terms } }) => ({
        id: `a${i}-order-${order}`,
        application: `a${i}`,
        version: 1,
        effectiveFrom: iso(0),
        effectiveTo: null,
        period: 'week',
        timeZone,
        order,
        ...terms,
        ...own,
      })),
    ]);
    const quotas = groups.flatMap((group, s) => {
      if (group === null) return [];
      const names = [...new Set(drawnPlans.map(({ id }) => id))].filter((id) => Number(id[1]) % 2 === s);
      const members = names.filter((_, at) => group.members[at]);
      if (members.length === 0) return [];
      const [first, second, third] = group.turns.map(iso);
      const versions = [
        { version: 1, effectiveFrom: first, effectiveTo: second ?? null, quotaOctets: group.quotas[0] },
        { version: 2, effectiveFrom: third ?? second, effectiveTo: null, quotaOctets: group.quotas[1] },
      ];
      const common = { id: `s${s}-all`, sponsor: `s${s}`, ...group.calendar, ...group.holder, plans: members };
      return versions.slice(0, second === undefined ? 1 : 2).map((dated) => ({ ...common, ...dated }));
    });
    const document = {
      sponsors: ['s0', 's1'].map((id) => ({ id, name: id, currency: 'EUR', creditLimit: '1' })),
      applications: policies.map((match, i) => ({
        id: `a${i}`,
        sponsor: `s${i % 2}`,
        match,
        ...DETECTED[i],
        ...claimed('tags', 'tag', TAGS, tags, i),
        ...claimed('prefixes', 'cidr', NETWORKS, networks, i),
        ...claimed('aspIdentities', 'identity', IDENTITIES, aspIdentities, i),
        ...claimed('sponsorIdentities', 'identity', IDENTITIES, sponsorIdentities, i),
      })),
      ...PLACES,
      plans: drawnPlans,
      ...(quotas.length > 0 && { quotas }),
    };
    return catalogueFromCanonicalJson(JSON.stringify(document));
  });
