import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import { decodeJson } from './decode/decode-json.ts';
import { type Decoder, FlowBatch, type FlowRecord, NO_LATER_FIELDS } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { Lane } from './lane.ts';
import { outcomeOf, REASONS } from './outcome.ts';
import { admit, classifyBatch, rateBatch } from './pipeline.ts';
import { PLAIN_RULES } from './record/record-limits.ts';
import { type Facts, NO_FACTS, Rules } from './rules.ts';
import { PseudonymKey } from './subscribers.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Every match policy, period, share, tier and late policy that the rules distinguish. */
export const TEST_CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: USD, creditLimit: "1000" }
  - { id: bolt, name: Bolt, currency: JPY, creditLimit: "1000" }
applications:
  - { id: any, sponsor: acme, match: any, tags: [ANY], prefixes: [198.51.100.0/24, "2001:db8:1::/48"], aspIdentities: [asp-any] }
  - { id: tagged, sponsor: acme, match: tag, tags: [TAG], prefixes: [198.51.100.64/26] }
  - { id: by-ip, sponsor: bolt, match: ip, tags: [IP], prefixes: [203.0.113.0/24], sponsorIdentities: [bolt-pays] }
  - { id: both, sponsor: bolt, match: both, tags: [BOTH], prefixes: [192.0.2.0/24] }
  - { id: in-cdr, sponsor: bolt, match: cdr, prefixes: [192.0.2.64/26], aspIdentities: [asp-cdr] }
  - { id: seen, sponsor: bolt, match: detected, prefixes: [192.0.2.128/26], detectedNames: [seen] }
plans:
  - id: any-day
    application: any
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-11-20T00:00:00Z
    period: day
    timeZone: Asia/Kathmandu
    content: { text: 10000, image: 3333, video: 0, unknown: 5000 }
    quotaOctets: 20000
    notifyAt: [5000, 10000]
    tiers: [{ upToOctets: 3000, pricePerMiB: "99.999999" }, { upToOctets: null, pricePerMiB: "12.5" }]
    latePolicy: refuse
  - id: any-day
    application: any
    version: 2
    effectiveFrom: 2026-11-20T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: Asia/Kathmandu
    content: { text: 9999, image: 1, unknown: 5000 }
    quotaOctets: 9000
    notifyAt: [5000, 10000]
    tiers: [{ upToOctets: null, pricePerMiB: "7.000001" }]
  - id: tagged-week
    application: tagged
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: America/Sao_Paulo
    content: { text: 7777, voice: 1234, unknown: 1 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "3.3" }]
    latePolicy: refuse
  - id: by-ip-month
    application: by-ip
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000, text: 3333 }
    quotaOctets: 50001
    tiers: [{ upToOctets: 1000, pricePerMiB: "4000" }, { upToOctets: null, pricePerMiB: "0" }]
  - id: in-cdr-month
    application: in-cdr
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000, text: 5000 }
    quotaOctets: 70000
    tiers: [{ upToOctets: null, pricePerMiB: "17.5" }]
`;

export function testRules(facts: Partial<Facts> = {}): Rules {
  const { catalogue, faults } = parseCatalogue(TEST_CATALOGUE, 'test.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return new Rules(catalogue, { ...NO_FACTS, ...facts });
}

/** Finance has closed a month of a sponsor, such as 2026-10, and all before it. */
export function closedFor(
  sponsorId: string,
  month: string,
  endedByMs = Number.POSITIVE_INFINITY,
): Pick<Facts, 'closings'> {
  const last = { month: Date.parse(month) / DAY_MS, endedByMs };
  return { closings: { lastClosed: new Map([[sponsorId, last]]), number: 1 } };
}

export function testLane(duplicateWindowRecords = 1000): Lane {
  return new Lane({ pseudonymKey: PseudonymKey.ofRoot(Buffer.alloc(32, 3)), duplicateWindowRecords });
}

/** A record of application `any` by its address. */
export function testRecord(overrides: Partial<FlowRecord> = {}): FlowRecord {
  return {
    nodeId: 'gw-1',
    localSequenceNumber: 1,
    chargingId: 1,
    recordSequenceNumber: 1,
    servedMsisdn: '999000000001',
    servedImsi: null,
    startTime: Date.UTC(2026, 10, 10, 12),
    endTime: Date.UTC(2026, 10, 10, 12, 1),
    terminalIp: '10.0.0.1',
    terminalPort: 40000,
    remoteIp: '198.51.100.7',
    remotePort: 443,
    protocol: 6,
    zeroRatingTag: null,
    contentType: null,
    ratingGroup: null,
    serviceIdentifier: null,
    uplinkOctets: 100,
    downlinkOctets: 1000,
    sponsorIdentity: null,
    applicationServiceProviderIdentity: null,
    ...NO_LATER_FIELDS,
    ...overrides,
  };
}

/** What the pipeline made of one record. */
export interface Rated {
  outcome: string;
  reason: string;
  application: number;
  plan: number;
  periodStart: number;
  sponsored: number;
  charge: number;
  used: number;
  carry: number;
}

/** Takes one batch of values through the pipeline, until it is classified. */
export function classifyValues(
  values: readonly Uint8Array[],
  lane: Lane,
  rules: Rules,
  decode: Decoder = decodeJson,
): FlowBatch {
  const batch = new FlowBatch(Math.max(1, values.length));
  const context = { decode, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 };
  admit(
    batch,
    values.map((value, offset) => incoming(value, offset)),
    context,
    lane,
    rules,
  );
  classifyBatch(batch, lane, rules);
  return batch;
}

/** Takes one batch of values through the whole pipeline. */
export function rateValues(
  values: readonly Uint8Array[],
  lane: Lane,
  rules: Rules,
): { batch: FlowBatch; rated: Rated[] } {
  const batch = classifyValues(values, lane, rules);
  rateBatch(batch, lane, rules);
  const rated = Array.from(values, (_, row) => ({
    outcome: outcomeOf(batch.reason[row]),
    reason: REASONS[batch.reason[row]].reason,
    application: batch.application[row],
    plan: batch.plan[row],
    periodStart: batch.periodStart[row],
    sponsored: batch.sponsoredOctets[row],
    charge: batch.chargeMicros[row],
    used: batch.usedOctetsAfter[row],
    carry: batch.carryAfter[row],
  }));
  return { batch, rated };
}

export function asValue(record: object): Buffer {
  return Buffer.from(JSON.stringify(record));
}
