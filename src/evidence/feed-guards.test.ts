import { expect, test } from 'vitest';
import { type ClaimedPrefix, claimConflicts } from './claim-conflicts.ts';
import { evidenceConfigSchema } from './evidence-config-schema.ts';
import { checkGuards, type GuardedList } from './feed-guards.ts';
import { compareLists } from './list-difference.ts';

const NOW = Date.UTC(2026, 2, 1);
const DAY_MS = 86_400_000;

function refusalsOf(
  before: readonly string[] | null,
  after: readonly string[],
  { guards = {}, ...more }: Partial<GuardedList> & { guards?: object } = {},
): string[] {
  const feed = { id: 'f', application: 'chat', source: { file: 'x' }, form: 'aws-ip-ranges', guards };
  return checkGuards(evidenceConfigSchema.parse({ catalogue: 'c', feeds: [feed] }).feeds[0], {
    prefixes: after,
    createdAtMs: null,
    difference: before === null ? null : compareLists(before, after),
    createdBeforeMs: null,
    conflicts: [],
    fromMs: null,
    nowMs: NOW,
    ...more,
  }).map(({ guard, message }) => `${guard}: ${message}`);
}

const networks = (count: number, first = 0) => Array.from({ length: count }, (_, i) => `198.51.${first + i}.0/24`);

test('a list that changes as much as it may is accepted, one address more is not', () => {
  expect(refusalsOf(networks(8), networks(10))).toEqual([]);
  expect(refusalsOf(networks(8), networks(6))).toEqual([]);
  const remedy = (field: string) => `check the list; if it is right, raise guards.${field} of feed f and fetch again`;
  expect(refusalsOf(networks(8), [...networks(10), '192.0.2.1/32'])).toEqual([
    `prefix_growth: prefixes: 8 before, 11 after, a change of more than 25 %: ${remedy('prefixGrowthPercent')}`,
    `address_growth: IPv4 addresses: 2048 before, 2561 after, a change of more than 25 %: ${remedy('addressGrowthPercent')}`,
  ]);
  expect(refusalsOf(networks(8), networks(5))).toEqual([
    `prefix_shrinkage: prefixes: 8 before, 5 after, a change of more than 25 %: ${remedy('prefixShrinkPercent')}`,
    `address_shrinkage: IPv4 addresses: 2048 before, 1280 after, a change of more than 25 %: ${remedy('addressShrinkPercent')}`,
  ]);
});

test('the families count apart, one that was not there has no bound but null, and the first list has none', () => {
  const both = [...networks(8), '2001:db8::/48'];
  expect(refusalsOf(networks(8), both)).toEqual([expect.stringMatching(/^address_growth: IPv6 addresses: 0 before, /)]);
  expect(refusalsOf(both, networks(8))).toEqual([expect.stringMatching(/^address_shrinkage: IPv6 addresses: /)]);
  expect(refusalsOf(networks(8), both, { guards: { addressGrowthPercent: null } })).toEqual([]);
  expect(refusalsOf(null, networks(200))).toEqual([]);
});

test('a prefix split into its halves changes no addresses', () => {
  const halves = ['198.51.0.0/25', '198.51.0.128/25', ...networks(7, 1)];
  expect(refusalsOf(networks(8), halves)).toEqual([]);
});

test('a prefix broader than the limit of its family', () => {
  expect(refusalsOf(null, ['10.0.0.0/12', '2000::/24'])).toEqual([]);
  expect(refusalsOf(null, ['10.0.0.0/11', '2000::/23'])).toEqual([
    'broad_prefix: 10.0.0.0/11: broader than /12 (guards.shortestIpv4Prefix): check the list',
    'broad_prefix: 2000::/23: broader than /24 (guards.shortestIpv6Prefix): check the list',
  ]);
  expect(refusalsOf(null, ['10.0.0.0/8'], { guards: { shortestIpv4Prefix: 8 } })).toEqual([]);
});

test('a list that is too old, from the future, or older than the one in force', () => {
  const age = (createdAtMs: number, more: object = {}) => refusalsOf(null, networks(1), { createdAtMs, ...more });
  expect(age(NOW - 90 * DAY_MS)).toEqual([]);
  expect(age(NOW - 90 * DAY_MS - 1)).toEqual([
    'list_age: the list was made at 2025-11-30T23:59:59.999Z, more than 90 days ago (guards.maxAgeDays): see whether it is still published',
  ]);
  expect(age(NOW - 400 * DAY_MS, { guards: { maxAgeDays: null } })).toEqual([]);
  expect(age(NOW + DAY_MS)).toEqual([]);
  expect(age(NOW + DAY_MS + 1)).toEqual([expect.stringMatching(/^list_age: .* more than a day from now: see that/)]);
  expect(age(NOW - 1, { createdBeforeMs: NOW })).toEqual([
    'list_age: the list was made at 2026-02-28T23:59:59.999Z, before the list in force (2026-03-01T00:00:00.000Z): the source returns an older one; fetch again',
  ]);
});

/** Refusals of a list for what is claimed beside it. */
function refusalsBeside(prefixes: readonly string[], claimed: readonly ClaimedPrefix[], fromMs: number | null = null) {
  const span = { fromMs: fromMs ?? NOW, toMs: Number.POSITIVE_INFINITY };
  const dated = prefixes.map((prefix) => ({ prefix, ...span }));
  return refusalsOf(null, prefixes, { conflicts: claimConflicts('chat', dated, claimed), fromMs });
}
const claim = (prefix: string, application: string, toMs = Number.POSITIVE_INFINITY, feed: string | null = null) => ({
  ...{ prefix, application, feed, fromMs: Number.NEGATIVE_INFINITY, toMs },
});

test('addresses of another application, on either side of the nesting', () => {
  const claimed = [
    claim('198.51.0.0/16', 'video'),
    claim('2001:db8:7::/64', 'voice', Number.POSITIVE_INFINITY, 'cdn'),
    claim('203.0.113.0/24', 'voice'),
  ];
  expect(refusalsBeside(['198.51.100.0/24', '2001:db8:7::/48', '203.0.112.0/24'], claimed)).toEqual([
    'overlap: 198.51.100.0/24 and 198.51.0.0/16 of application video, 2001:db8:7::/48 and 2001:db8:7::/64 of application voice (feed cdn) share addresses: ' +
      "narrow the feed's filter, or end the other prefix",
  ]);
  const many = refusalsBeside(networks(7), claimed);
  expect(many).toEqual([
    expect.stringMatching(/, 198.51.4.0\/24 and 198.51.0.0\/16 of application video and 2 more sha/),
  ]);
});

test('one network of two lists of one application, and nested ones, which it may have', () => {
  const claimed = [claim('198.51.100.0/24', 'chat', Number.POSITIVE_INFINITY, 'other')];
  expect(refusalsBeside(['198.51.100.0/25', '198.51.0.0/16', '198.51.101.0/24'], claimed)).toEqual([]);
  expect(refusalsBeside(['198.51.100.0/24'], claimed)).toEqual([
    'shared_prefix: 198.51.100.0/24 and 198.51.100.0/24 of application chat (feed other) are one network of one application: ' +
      'leave it out of one list by a filter, or let one feed fetch both lists',
  ]);
  expect(refusalsBeside(['198.51.100.0/24 tcp 443'], claimed)).toHaveLength(1);
  const ofUdp = [claim('198.51.100.0/24 udp', 'chat')];
  expect(refusalsBeside(['198.51.100.0/24 tcp 443'], ofUdp)).toEqual([]);
});

test('a claim that ends allows the list from its end on, which the approval must name', () => {
  const [noon, evening] = [NOW + DAY_MS / 2, NOW + DAY_MS];
  const claimed = [claim('198.51.100.0/24', 'video', evening, 'f1'), claim('198.51.100.0/24', 'chat', noon)];
  expect(refusalsBeside(['198.51.100.0/24'], claimed)).toEqual([]);
  expect(refusalsBeside(['198.51.100.0/24'], claimed, NOW)).toEqual([
    'overlap: 198.51.100.0/24 and 198.51.100.0/24 of application video (feed f1) until 2026-03-02T00:00:00Z share addresses: approve with --from 2026-03-02T00:00:00Z or a later time',
    expect.stringMatching(
      /^shared_prefix: .* of application chat until 2026-03-01T12:00:00Z share addresses: approve with/,
    ),
  ]);
  expect(refusalsBeside(['198.51.100.0/24'], claimed, evening - 1)).toHaveLength(1);
  expect(refusalsBeside(['198.51.100.0/24'], claimed, evening)).toEqual([]);
});
