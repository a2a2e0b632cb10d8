import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import { decodeJson } from './decode/decode-json.ts';
import { FlowBatch, type FlowRecord } from './flow-record.ts';
import { incoming } from './incoming.ts';
import type { Lane } from './lane.ts';
import { admit } from './pipeline.ts';
import { deriveQuotaUpdates, type QuotaUpdate } from './quota-updates.ts';
import { PLAIN_RULES } from './record/record-limits.ts';
import { Rules } from './rules.ts';
import { PSEUDONYM_WORDS } from './subscribers.ts';
import { asValue, rateValues, testLane, testRecord } from './traffic.fixture.ts';

const DAY_MS = 86_400_000;
const MONDAY_MS = Date.UTC(2026, 10, 9, 10);

/** 1000 a week of an account's SIMs, in two applications, beside 600 a day of each SIM in chat. `share` of text. */
const catalogueText = (share: number, quotaOctets = 1000, chatOctets: number | null = 600) => `
sponsors:
  - { id: acme, name: Acme, currency: ZAR, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: acme, tags: [CHAT] }
  - { id: maps, sponsor: acme, tags: [MAPS] }
plans:
  - id: chat-day
    application: chat
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: UTC
    content: { text: ${share}, unknown: ${share} }
    quotaOctets: ${chatOctets}
    tiers: [{ upToOctets: 300, pricePerMiB: "99.999999" }, { upToOctets: null, pricePerMiB: "12.5" }]
  - id: maps-month
    application: maps
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: ${share}, unknown: ${share} }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "7" }]
quotas:
  - id: acme-family
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: Asia/Kathmandu
    per: account
    quotaOctets: ${quotaOctets}
    notifyAt: [5000]
    plans: [chat-day, maps-month]
`;

function rulesOf(text: string): Rules {
  const { catalogue, faults } = parseCatalogue(text, 'c.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return new Rules(catalogue);
}

type Usage = Pick<FlowRecord, 'zeroRatingTag' | 'servedMsisdn' | 'accountId' | 'startTime' | 'downlinkOctets'>;

const chat = (
  servedMsisdn: string,
  accountId: string | null,
  downlinkOctets: number,
  startTime = MONDAY_MS,
): Usage => ({
  zeroRatingTag: 'CHAT',
  servedMsisdn,
  accountId,
  startTime,
  downlinkOctets,
});

/** A lane, and what it has made of the records that it took. */
class Ratings {
  lane: Lane = testLane();
  readonly rules: Rules;
  readonly sponsored: number[] = [];
  readonly reasons: string[] = [];
  readonly updates: QuotaUpdate[] = [];

  constructor(rules: Rules) {
    this.rules = rules;
  }

  take(usages: readonly Usage[]): this {
    const values = usages.map((usage, at) =>
      asValue(
        testRecord({
          ...usage,
          uplinkOctets: 0,
          localSequenceNumber: this.sponsored.length + at,
          endTime: usage.startTime,
          remoteIp: '8.8.8.8',
        }),
      ),
    );
    const { batch, rated } = rateValues(values, this.lane, this.rules);
    this.sponsored.push(...rated.map(({ sponsored }) => sponsored));
    this.reasons.push(...rated.map(({ reason }) => reason));
    this.updates.push(...deriveQuotaUpdates(batch, this.lane, this.rules.catalogue, { topic: 'flows', partition: 0 }));
    return this;
  }

  /** The lane again, from what its counters are, as a recovery reads them. */
  async restart(): Promise<void> {
    const all = [...this.counters()].map(([key, state]) => ({ key: key.split('|'), state }));
    const words = all.flatMap(({ key: [who] }) => [...new Uint32Array(new Uint8Array(Buffer.from(who, 'hex')).buffer)]);
    const planIds = [...new Set(all.map(({ key }) => key[1]))];
    const { position } = this.lane;
    this.lane = testLane();
    this.lane.position = position;
    const chunk = {
      count: all.length,
      subscriber: Uint32Array.from(words),
      plan: Uint32Array.from(all, ({ key }) => planIds.indexOf(key[1])),
      planIds,
      periodStart: Uint16Array.from(all, ({ key }) => Number(key[2])),
      usedOctets: Float64Array.from(all, ({ state }) => state[0]),
      carry: Uint16Array.from(all, ({ state }) => state[1]),
      about: { counters: all.length, subscribers: words.length / PSEUDONYM_WORDS },
    };
    await this.lane.restoreCounters(
      (async function* () {
        yield chunk;
      })(),
    );
  }

  /** Use and carry of all counters, by holder, plan or quota, and period. */
  counters(): Map<string, readonly [used: number, carry: number]> {
    const { counters, planPeriods, subscribers } = this.lane;
    const all = new Map<string, readonly [number, number]>();
    for (let counter = 0; counter < counters.count; counter++) {
      const who = Buffer.from(subscribers.pseudonym(counters.subscriber(counter))).toString('hex');
      const { planId, periodStart } = planPeriods.at(counters.planPeriod(counter));
      all.set(`${who}|${planId}|${periodStart}`, [counters.usedOctets(counter), counters.carry(counter)]);
    }
    return all;
  }
}

describe('by hand', () => {
  const rules = rulesOf(catalogueText(10_000));

  test('the SIMs of an account share a quota; another account, and a SIM without one, have their own', () => {
    const ratings = new Ratings(rules).take([
      chat('1999', 'B-17', 500),
      chat('2999', 'B-17', 400),
      chat('3999', 'B-18', 500),
      chat('2999', 'B-17', 150),
      chat('4999', null, 500),
      chat('1999', 'B-17', 1),
    ]);
    expect(ratings.sponsored).toEqual([500, 400, 500, 100, 500, 0]);
    expect(ratings.reasons.slice(3)).toEqual(['quota_reached', 'sponsored', 'quota_exhausted']);
    const ofFamily = [...ratings.counters()].filter(([key]) => key.includes('|acme-family:account|'));
    expect(ofFamily.map(([, [used]]) => used).sort()).toEqual([1000, 500, 500]);
  });

  test('its quota updates have the account’s pseudonym, and a name that says so', () => {
    const { updates } = new Ratings(rules).take([chat('1999', 'B-17', 500), chat('2999', 'B-17', 100)]);
    const key = (planId: string) => updates.filter((update) => update.planId === planId);
    const [family, ...others] = key('acme-family:account');
    expect(others).toEqual([]);
    expect(family).toMatchObject({ usedOctets: 600, remainingOctets: 400, thresholdReached: 5000, applicationId: '' });
    const subscribers = key('chat-day').map(({ subscriber }) => subscriber);
    expect(new Set([...subscribers, family.subscriber]).size).toBe(3);
  });

  test('a catalogue without such a quota does not look at accounts', () => {
    const { lane } = new Ratings(rulesOf(catalogueText(10_000).replace('per: account', 'per: subscriber'))).take([
      chat('1999', 'B-17', 500),
      chat('2999', 'B-17', 600),
    ]);
    expect(lane.subscribers.count).toBe(2);
  });
});

describe('message keys', () => {
  /** Records whose key is neither their MSISDN nor their account, as admission counts them, by the kernel and the long way. */
  function mismatches(key: string, accountId: string | null, rules: Rules): number[] {
    return [false, true].map((isLongWay) => {
      const value = asValue(testRecord({ servedMsisdn: '999000000001', accountId }));
      const octets = Buffer.concat([Buffer.from(key), value]);
      const [keyEnd, valueEnd] = [key.length, octets.length];
      const record = { ...incoming(value), octets, keyStart: 0, keyEnd, valueStart: keyEnd, valueEnd };
      const decode = isLongWay ? (octetsOf: Uint8Array) => decodeJson(octetsOf) : decodeJson;
      const batch = new FlowBatch(1);
      const context = { decode, keyedByMsisdn: true, rules: PLAIN_RULES, bookingDay: 0 };
      admit(batch, [record], context, testLane(), rules);
      return batch.keyMismatches;
    });
  }

  test.each<[key: string, accountId: string | null, uncounted: number, counted: number]>([
    ['999000000001', null, 0, 0],
    ['B-17', null, 1, 1],
    ['B-17', 'B-17', 0, 0],
    ['B-18', 'B-17', 1, 1],
    ['B-1', 'B-17', 1, 1],
    ['999000000001', 'B-17', 0, 1],
    ['999000000001', '999000000001', 0, 0],
    ['x'.repeat(64), 'x'.repeat(64), 0, 0],
    [`${'x'.repeat(63)}y`, 'x'.repeat(64), 1, 1],
  ])('%s with the account %s', (key, accountId, uncounted, counted) => {
    const byAccount = catalogueText(10_000);
    expect(mismatches(key, accountId, rulesOf(byAccount.replace('per: account', 'per: subscriber')))).toEqual([
      uncounted,
      uncounted,
    ]);
    expect(mismatches(key, accountId, rulesOf(byAccount))).toEqual([counted, counted]);
  });
});

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`account-quotas: seed ${seed}\n`);

const SIMS = ['1999', '2999', '3999', '4999'];
const usages = fc.array(
  fc.record({
    zeroRatingTag: fc.constantFrom('CHAT', 'MAPS'),
    servedMsisdn: fc.constantFrom(...SIMS),
    accountId: fc.constantFrom('B-17', 'B-17', 'B-18', null),
    startTime: fc.nat({ max: 20 }).map((days) => MONDAY_MS + days * DAY_MS),
    downlinkOctets: fc.nat({ max: 500 }),
  }),
  { minLength: 1, maxLength: 40 },
);

/** The first day of the week of the quota's time zone, days since 1970-01-01. */
function weekOf(timeMs: number): number {
  const day = Math.floor((timeMs + (5 * 60 + 45) * 60_000) / DAY_MS);
  return day - ((day + 3) % 7);
}

test('however an account’s traffic is cut into records, and whichever of its SIMs has it, its sponsored octets are the same', () => {
  // A part of an octet belongs to the SIM that it is left over of, and so does a plan's own quota.
  const rules = rulesOf(catalogueText(10_000, 1000, null));
  const spread = fc.array(fc.tuple(fc.nat({ max: 100 }), fc.constantFrom(...SIMS), fc.constantFrom(...SIMS)), {
    minLength: 1,
    maxLength: 9,
  });
  const ofAccount = usages.map((all) => all.map((usage) => ({ ...usage, accountId: 'B-17' })));
  fc.assert(
    fc.property(ofAccount, spread, fc.integer({ min: 1, max: 9 }), (all, parts, batchRecords) => {
      const whole = new Ratings(rules).take(all);
      const cut = all.flatMap((usage, at) => {
        const [percent, one, other] = parts[at % parts.length];
        const first = Math.floor((usage.downlinkOctets * percent) / 100);
        return [
          { ...usage, servedMsisdn: one, downlinkOctets: first },
          { ...usage, servedMsisdn: other, downlinkOctets: usage.downlinkOctets - first },
        ];
      });
      const again = new Ratings(rules);
      for (let from = 0; from < cut.length; from += batchRecords) again.take(cut.slice(from, from + batchRecords));
      const inPairs = all.map((_, at) => again.sponsored[at * 2] + again.sponsored[at * 2 + 1]);
      expect(inPairs).toEqual(whole.sponsored);
    }),
    { seed, numRuns: 200 },
  );
});

test('no account has more than its quota, its counter is the sum of what its SIMs got, and a lane that restarts at every batch continues', async () => {
  await fc.assert(
    fc.asyncProperty(
      usages,
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(10_000, 3333),
      async (all, size, share) => {
        const rules = rulesOf(catalogueText(share));
        const whole = new Ratings(rules);
        const restarted = new Ratings(rules);
        for (let from = 0; from < all.length; from += size) {
          whole.take(all.slice(from, from + size));
          restarted.take(all.slice(from, from + size));
          await restarted.restart();
        }
        expect(restarted.sponsored).toEqual(whole.sponsored);
        expect(restarted.counters()).toEqual(whole.counters());
        // Slowly, from nothing but the records and what was sponsored of each.
        const sums = new Map<string, number>();
        for (const [at, { accountId, servedMsisdn, startTime, downlinkOctets }] of all.entries()) {
          expect(whole.sponsored[at]).toBeLessThanOrEqual(downlinkOctets);
          const holder = `${accountId ?? servedMsisdn} ${weekOf(startTime)}`;
          sums.set(holder, (sums.get(holder) ?? 0) + whole.sponsored[at]);
        }
        const counted = [...whole.counters()].filter(([key]) => key.includes('|acme-family:account|'));
        expect(counted.map(([, [used]]) => used).sort()).toEqual([...sums.values()].sort());
        for (const used of sums.values()) expect(used).toBeLessThanOrEqual(1000);
      },
    ),
    { seed, numRuns: 150 },
  );
});
