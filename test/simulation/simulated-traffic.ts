import type { Random } from '../../src/generator/random.ts';
import type { LogRecordParts } from '../../src/platform/kafka/log-record.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../src/rating/catalogue.ts';
import { type FlowRecord, NO_LATER_FIELDS } from '../../src/rating/flow-record.ts';
import { PLAIN_RULES, type RecordRules } from '../../src/rating/record/record-limits.ts';
import { MAX_RECORD_OCTETS } from './simulated-source.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** Two days before a month ends: batches of one lane are in several ClickHouse partitions. */
export const BEGIN_MS = Date.UTC(2026, 10, 29);
export const SIMULATED_RULES: RecordRules = { ...PLAIN_RULES, maxFutureSkewMs: 60_000 };
const SUBSCRIBERS = 6;
const CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: USD, creditLimit: "1000" }
  - { id: bolt, name: Bolt, currency: JPY, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: acme, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
  - { id: maps, sponsor: bolt, match: any, tags: [MAPS], prefixes: [203.0.113.0/24] }
plans:
  - id: chat-day
    application: chat
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: UTC
    content: { unknown: 3333, video: 5000 }
    quotaOctets: 20000
    notifyAt: [5000, 10000]
    tiers: [{ upToOctets: 6000, pricePerMiB: "99.123457" }, { upToOctets: null, pricePerMiB: "0.05" }]
    latePolicy: refuse
  - id: maps-month
    application: maps
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000, text: 1 }
    quotaOctets: 90000
    notifyAt: [10000]
    tiers: [{ upToOctets: null, pricePerMiB: "3.3" }]
`;

/** Beside it: windows of both plans, a third plan, and a quota over several of them whose second version begins amid the traffic. */
const FURTHER_PLAN = `
  - id: talk-week
    application: talk
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: Asia/Tokyo
    content: { unknown: 5000, text: 3333 }
    quotaOctets: null
    tiers: [{ upToOctets: 5000, pricePerMiB: "7" }, { upToOctets: null, pricePerMiB: "0.4" }]
`;
/** Plans that are asked first: at some hours, and for those who roam. */
const CONDITIONAL_PLANS = `
  - id: chat-nights
    application: chat
    order: 1
    conditions: { hours: [{ from: "21:30", to: "02:00" }, { days: [sunday], from: "06:00", to: "21:30" }] }
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: Europe/Berlin
    content: { unknown: 7777, text: 10000 }
    quotaOctets: 16000
    tiers: [{ upToOctets: null, pricePerMiB: "1.1" }]
  - id: maps-abroad
    application: maps
    order: 1
    conditions: { roaming: roaming }
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: UTC
    content: { unknown: 10000, video: 2500 }
    quotaOctets: 8000
    tiers: [{ upToOctets: 3000, pricePerMiB: "11" }, { upToOctets: null, pricePerMiB: "2" }]
`;
const QUOTAS = `
quotas:
  - id: acme-all
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-12-01T06:00:00Z
    period: month
    timeZone: America/New_York
    quotaOctets: 22000
    notifyAt: [5000]
    plans: [chat-day, chat-nights, talk-week]
  - id: acme-all
    sponsor: acme
    version: 2
    effectiveFrom: 2026-12-01T06:00:00Z
    effectiveTo: null
    period: month
    timeZone: America/New_York
    quotaOctets: 30000
    plans: [talk-week, chat-nights, chat-day]
  - id: acme-home
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: Asia/Tokyo
    per: account
    quotaOctets: 18000
    notifyAt: [8000]
    plans: [chat-day, talk-week]
`;
/** Of the subscribers of a partition so many belong to accounts, of two SIMs each; the others' records have no account. */
const IN_ACCOUNTS = 4;

function withFurtherQuotas(catalogue: string): string {
  const talk = '  - { id: talk, sponsor: acme, match: any, prefixes: [192.0.2.0/24] }';
  const plans = catalogue
    .replace('plans:', `${talk}\nplans:`)
    .replace('period: day', `period: day\n    windows: [{ period: week, quotaOctets: 25000, notifyAt: [9000] }]`)
    .replace('period: month', `period: month\n    windows: [{ period: day, quotaOctets: 12000 }]`);
  const network = 'network: { homePlmns: ["26201"] }\n';
  return `${network}${plans.trimEnd()}${FURTHER_PLAN.trimEnd()}${CONDITIONAL_PLANS}${QUOTAS}`;
}

/**
 * Returns two catalogues of two sponsors, each with a quota: one a day, one a month. The first refuses late records, the
 * other adjusts. The second catalogue has other quotas, shares, prices and addresses, and an application whose plan has
 * ended. With further quotas: each with them, one by account, of other sizes in the second catalogue, and with plans that have conditions.
 */
export function simulatedCatalogues(hasFurtherQuotas = false): Catalogue[] {
  const otherwise = CATALOGUE.replace('quotaOctets: 20000', 'quotaOctets: 14000')
    .replace('unknown: 3333', 'unknown: 7001')
    .replace('"3.3"', '"4.7"')
    .replace('198.51.100.0/24', '198.51.100.8/32');
  const ended = CATALOGUE.replace('effectiveTo: null', 'effectiveTo: 2026-11-20T00:00:00Z').replace('90000', '200000');
  const further = [CATALOGUE, otherwise, ended].map((text, at) => {
    const quotas = withFurtherQuotas(text);
    return at === 1 ? quotas.replace('22000', '18000').replace('12000', '9000') : quotas;
  });
  return (hasFurtherQuotas ? further : [CATALOGUE, otherwise, ended]).map((text) => {
    const { catalogue, faults } = parseCatalogue(text, 'simulation.yaml');
    if (catalogue === undefined) throw new Error(JSON.stringify(faults));
    return catalogue;
  });
}

/**
 * Returns the records of one partition in the order of arrival: some late, some duplicate, some in conflict, some
 * unreadable.
 */
export class SimulatedTraffic {
  readonly #random: Random;
  readonly #partition: number;
  readonly #hasAccounts: boolean;
  readonly #sent: FlowRecord[] = [];
  #timestampMs = BEGIN_MS;
  #sequence = 0;

  /** `hasAccounts`: records name the accounts of their subscribers, and are keyed by them. */
  constructor(random: Random, partition: number, hasAccounts = false) {
    this.#random = random;
    this.#partition = partition;
    this.#hasAccounts = hasAccounts;
  }

  next(): Omit<LogRecordParts, 'offset'> {
    const random = this.#random;
    this.#timestampMs += random.integer(0, 6 * HOUR_MS);
    const kind = random.weighted([85, 5, 3, 2, 2, 2, 1]);
    const before = this.#sent.length > 0 ? random.pick(this.#sent) : this.#fresh();
    switch (kind) {
      case 1:
        return this.#raw(before);
      case 2:
        return this.#raw({ ...before, uplinkOctets: before.uplinkOctets + 1 });
      case 3:
        return this.#octets(Buffer.from('{"nodeId":'));
      case 4:
        return this.#raw({ ...this.#fresh(), downlinkOctets: -1 });
      case 5:
        return this.#octets(Buffer.alloc(MAX_RECORD_OCTETS + 1, 'x'));
      case 6:
        return this.#octets(Buffer.alloc(0));
      default: {
        const record = this.#fresh();
        this.#sent.push(record);
        return this.#raw(record);
      }
    }
  }

  #fresh(): FlowRecord {
    const random = this.#random;
    const startTime = this.#timestampMs - random.pick([1, 1, 1, HOUR_MS, DAY_MS, 3 * DAY_MS, 45 * DAY_MS]);
    const place = random.integer(1, SUBSCRIBERS);
    const subscriber = this.#partition * SUBSCRIBERS + place;
    return {
      nodeId: `gw-${this.#partition}-${random.integer(1, 2)}`,
      localSequenceNumber: ++this.#sequence,
      chargingId: 1,
      recordSequenceNumber: 1,
      servedMsisdn: `9990000${String(subscriber).padStart(4, '0')}`,
      servedImsi: null,
      startTime,
      endTime: startTime + random.pick([0, 1000, 1000, 3 * HOUR_MS]),
      terminalIp: '10.0.0.1',
      terminalPort: 40_000,
      remoteIp: random.pick(['198.51.100.7', '198.51.100.8', '203.0.113.9', '192.0.2.1']),
      remotePort: 443,
      protocol: 6,
      zeroRatingTag: random.pick([null, null, null, 'CHAT']),
      contentType: random.pick([null, null, 'text', 'video']),
      ratingGroup: null,
      serviceIdentifier: null,
      uplinkOctets: random.integer(0, 3000),
      downlinkOctets: random.integer(0, 9000),
      sponsorIdentity: null,
      applicationServiceProviderIdentity: null,
      ...NO_LATER_FIELDS,
      servingPlmn: random.pick([null, '26201', '310410']),
      // Without a draw: traffic with accounts is the same but for them.
      accountId: this.#hasAccounts && place <= IN_ACCOUNTS ? `B-${this.#partition}-${Math.ceil(place / 2)}` : null,
    };
  }

  #raw(record: FlowRecord): Omit<LogRecordParts, 'offset'> {
    // Without an account it has the octets that it had before there were any. With one, fields that are null are left out: it is below the limit.
    const { accountId, ...others } = record;
    const present = Object.entries(record).filter(([, value]) => value !== null);
    const fields = accountId === null ? others : Object.fromEntries(present);
    return { ...this.#octets(Buffer.from(JSON.stringify(fields))), key: Buffer.from(accountId ?? record.servedMsisdn) };
  }

  #octets(value: Uint8Array): Omit<LogRecordParts, 'offset'> {
    return { timestampMs: this.#timestampMs, value };
  }
}
