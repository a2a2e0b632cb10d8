import { BlockList } from 'node:net';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { FlowRecord } from './flow-record.ts';
import { cumulativeChargeMicros } from './rate.ts';
import {
  asValue,
  closedFor,
  type Rated,
  rateValues,
  TEST_CATALOGUE,
  testLane,
  testRecord,
  testRules,
} from './traffic.fixture.ts';

/** Traffic of few subscribers in few periods, so that counters are met again, with duplicates and bad records among it. */
const traffic = fc.array(
  fc.record({
    localSequenceNumber: fc.integer({ min: 0, max: 60 }),
    servedMsisdn: fc.constantFrom('999000000001', '999000000002', '1999'),
    startTime: fc
      .tuple(
        fc.constantFrom(Date.UTC(2026, 9, 31), Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 19)),
        fc.integer({ min: 0, max: 47 }),
      )
      .map(([day, hours]) => day + hours * 3_600_000),
    remoteIp: fc.constantFrom(
      '198.51.100.7',
      '198.51.100.70',
      '203.0.113.9',
      '192.0.2.1',
      '192.0.2.65',
      '8.8.8.8',
      '2001:db8:1::5',
      'fe80::1',
    ),
    zeroRatingTag: fc.constantFrom(null, 'ANY', 'TAG', 'IP', 'BOTH', 'UNCLAIMED'),
    sponsorIdentity: fc.constantFrom(null, null, null, 'bolt-pays', 'unclaimed'),
    applicationServiceProviderIdentity: fc.constantFrom(null, null, null, 'asp-any', 'asp-cdr', 'unclaimed'),
    contentType: fc.constantFrom(null, 'text', 'voice', 'image', 'video'),
    uplinkOctets: fc.integer({ min: -1, max: 3000 }),
    downlinkOctets: fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constant(2 ** 47)),
  }),
  { maxLength: 120 },
);
const records = traffic.map((drawn) =>
  drawn.map((fields) => testRecord({ ...fields, endTime: fields.startTime + 1000 } as Partial<FlowRecord>)),
);
const values = records.map((list) => list.map(asValue));
/** Acme's October is closed, so that some of the traffic is refused. */
const rules = testRules(closedFor('acme', '2026-10'));
const rateAll = (all: readonly Uint8Array[]) => rateValues(all, testLane(), rules).rated;

/** The rules written down once more, in big integers and plain maps, from the document and not from the engine. */
function naive(list: readonly FlowRecord[]): Pick<Rated, 'outcome' | 'sponsored' | 'charge'>[] {
  const document = parse(TEST_CATALOGUE);
  const seen = new Map<number, string>();
  const counters = new Map<string, { sum: bigint; used: bigint }>();
  return list.map((record) => {
    const nothing = (outcome: string) => ({ outcome, sponsored: 0, charge: 0 });
    if (record.uplinkOctets < 0) return nothing('rejected');
    const content = JSON.stringify(record);
    const before = seen.get(record.localSequenceNumber);
    if (before !== undefined) return nothing(before === content ? 'duplicate' : 'rejected');
    seen.set(record.localSequenceNumber, content);

    const byTag = document.applications.find(({ tags }: { tags?: string[] }) =>
      tags?.includes(record.zeroRatingTag ?? ''),
    );
    const byAsp = document.applications.find(({ aspIdentities }: { aspIdentities?: string[] }) =>
      aspIdentities?.includes(record.applicationServiceProviderIdentity ?? ''),
    );
    const bySponsor = document.applications.find(({ sponsorIdentities }: { sponsorIdentities?: string[] }) =>
      sponsorIdentities?.includes(record.sponsorIdentity ?? ''),
    );
    if (byAsp && bySponsor && byAsp.sponsor !== bySponsor.sponsor) return nothing('not_sponsored');
    const byCdr = byAsp ?? bySponsor;
    const [byIp] = document.applications
      .flatMap((application: { prefixes: string[] }) => application.prefixes.map((cidr) => ({ application, cidr })))
      .filter(({ cidr }: { cidr: string }) => holds(cidr, record.remoteIp))
      .sort((a: { cidr: string }, b: { cidr: string }) => Number(b.cidr.split('/')[1]) - Number(a.cidr.split('/')[1]))
      .map(({ application }: { application: unknown }) => application);
    const named = new Set([byTag, byCdr, byIp].filter((one) => one !== undefined));
    const [application] = named;
    if (named.size !== 1) return nothing('not_sponsored');
    if (/cdr/.test(application.match) && !byCdr) return nothing('not_sponsored');
    if (/tag|both/.test(application.match) && !byTag) return nothing('not_sponsored');
    if (/ip|both/.test(application.match) && !byIp) return nothing('not_sponsored');
    const plan = document.plans.find(
      (candidate: { application: string; effectiveFrom: string; effectiveTo: string | null }) =>
        candidate.application === application.id &&
        Date.parse(candidate.effectiveFrom) <= record.startTime &&
        record.startTime < Date.parse(candidate.effectiveTo ?? '9999-01-01'),
    );
    const share = plan?.content[record.contentType ?? 'unknown'];
    if (share === undefined) return nothing('not_sponsored');

    const period = DateTime.fromMillis(record.startTime, { zone: plan.timeZone }).startOf(plan.period).toISODate();
    if (plan.latePolicy === 'refuse' && period !== null && period < '2026-11-01') {
      seen.delete(record.localSequenceNumber);
      return nothing('rejected');
    }
    const key = `${record.servedMsisdn} ${plan.id} ${period}`;
    const counter = counters.get(key) ?? { sum: 0n, used: 0n };
    const quota = plan.quotaOctets === null ? null : BigInt(plan.quotaOctets);
    let used = counter.used;
    if (quota === null || counter.used < quota) {
      // Octets above the quota are the subscriber's alone: the sum stops at it.
      counter.sum += BigInt(record.uplinkOctets + record.downlinkOctets) * BigInt(share);
      if (quota !== null && counter.sum > quota * 10_000n) counter.sum = quota * 10_000n;
      used = counter.sum / 10_000n;
    }
    const charge = price(plan.tiers, used) - price(plan.tiers, counter.used);
    const sponsored = used - counter.used;
    counters.set(key, { sum: counter.sum, used });
    return { outcome: 'charged', sponsored: Number(sponsored), charge: Number(charge) };
  });
}

function price(tiers: { upToOctets: number | null; pricePerMiB: string }[], used: bigint): bigint {
  let [sum, from] = [0n, 0n];
  for (const { upToOctets, pricePerMiB } of tiers) {
    const to = upToOctets === null || used < BigInt(upToOctets) ? used : BigInt(upToOctets);
    if (to > from) sum += (to - from) * BigInt(Math.round(Number(pricePerMiB) * 1e6));
    from = upToOctets === null ? from : BigInt(upToOctets);
  }
  return (sum + 2n ** 19n) / 2n ** 20n;
}

function holds(cidr: string, address: string): boolean {
  const [network, length] = cidr.split('/');
  const family = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  list.addSubnet(network, Number(length), family(network));
  return family(network) === family(address) && list.check(address, family(address));
}

test('every record has the outcome, the octets and the charge that the rules say', () => {
  fc.assert(
    fc.property(records, (list) => {
      const rated = rateAll(list.map(asValue)).map(({ outcome, sponsored, charge }) => ({
        outcome,
        sponsored,
        charge,
      }));
      expect(rated).toEqual(naive(list));
    }),
    { numRuns: 300 },
  );
});

test('how the stream is cut into batches changes nothing', () => {
  fc.assert(
    fc.property(values, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (all, sizes) => {
      const lane = testLane();
      const cut: Rated[] = [];
      for (let at = 0, turn = 0; at < all.length; turn++) {
        const size = sizes[turn % sizes.length];
        cut.push(...rateValues(all.slice(at, at + size), lane, rules).rated);
        at += size;
      }
      expect(cut).toEqual(rateAll(all));
    }),
  );
});

test('a replay changes nothing, and a second delivery is all duplicates', () => {
  fc.assert(
    fc.property(values, (all) => {
      const lane = testLane();
      const first = rateValues(all, lane, rules).rated;
      expect(rateAll(all)).toEqual(first);
      const again = rateValues(all, lane, rules).rated;
      again.forEach(({ outcome, charge }, row) => {
        expect(outcome).toBe(first[row].outcome === 'rejected' ? 'rejected' : 'duplicate');
        expect(charge).toBe(0);
      });
    }),
  );
});

test('octets conserve, and the charges of a period add up to its cumulative price', () => {
  fc.assert(
    fc.property(values, (all) => {
      const { batch, rated } = rateValues(all, testLane(), rules);
      const { plans } = rules.catalogue;
      const sums = new Map<string, { sponsored: number; used: number; charge: number; versions: Set<number> }>();
      rated.forEach(({ outcome, sponsored, used, charge, plan, periodStart }, row) => {
        expect(sponsored).toBeGreaterThanOrEqual(0);
        expect(sponsored).toBeLessThanOrEqual(outcome === 'charged' ? batch.octets(row) : 0);
        if (outcome !== 'charged') return;
        const key = `${batch.subscriber[row]} ${plans[plan].id} ${periodStart}`;
        const sum = sums.get(key) ?? { sponsored: 0, used: 0, charge: 0, versions: new Set() };
        sums.set(key, sum);
        sum.sponsored += sponsored;
        sum.charge += charge;
        sum.used = used;
        sum.versions.add(plan);
        expect(sum.sponsored).toBe(used);
      });
      for (const { used, charge, versions } of sums.values()) {
        // Where a new version changed the tariff within the period, no single price is the sum.
        if (versions.size > 1) continue;
        const [plan] = versions;
        expect(charge).toBe(cumulativeChargeMicros(plans[plan].tiers, used));
      }
    }),
  );
});
