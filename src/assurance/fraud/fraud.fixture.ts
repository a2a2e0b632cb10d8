import { Random } from '../../generator/random.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';

export const SEED = 73;
export const FIRST_DAY_MS = Date.UTC(2026, 9, 1);
export const DAYS = 10;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const MIB = 2 ** 20;
const SUBSCRIBERS = 60;
const NODES = 6;

/** Two applications that most traffic reaches through its proxies, with a plan of a month without a quota each. */
export const FRAUD_CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: USD, creditLimit: "1000000" }
applications:
  - { id: chat, sponsor: acme, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
  - { id: clips, sponsor: acme, match: any, tags: [CLIPS], prefixes: [203.0.113.0/24] }
plans:
${['chat', 'clips']
  .map(
    (application) => `  - id: ${application}-month
    application: ${application}
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "0.01" }]`,
  )
  .join('\n')}
`;

export const numberOf = (subscriber: number) => String(999_000_000_000 + subscriber);
const nodeOf = (node: number) => `gw-${node}`;

/** Usage of minutes on a day, mostly received, by tag and address. */
function usage(subscriber: number, day: number, minute: number, fields: Partial<FlowRecord> = {}): FlowRecord {
  const startTime = FIRST_DAY_MS + day * DAY_MS + minute * MINUTE_MS;
  return testRecord({
    servedMsisdn: numberOf(subscriber),
    nodeId: nodeOf(subscriber % NODES),
    startTime,
    endTime: startTime + 5 * MINUTE_MS,
    zeroRatingTag: 'CHAT',
    remoteIp: '198.51.100.7',
    uplinkOctets: Math.floor(MIB / 10),
    downlinkOctets: MIB,
    ...fields,
  });
}

/**
 * Returns the traffic of people: each at one place at a time, on a node or two a day; volumes over a power of ten; a third
 * without a tag or an address.
 */
export function cleanTraffic(): FlowRecord[] {
  const random = new Random(SEED);
  return Array.from({ length: SUBSCRIBERS }, (_, subscriber) => subscriber).flatMap((subscriber) => {
    const size = MIB * 10 ** random.uniform();
    return Array.from({ length: DAYS }, (_, day) => dayOf(subscriber, day, size, random)).flat();
  });
}

function dayOf(subscriber: number, day: number, size: number, random: Random): FlowRecord[] {
  const records = random.integer(2, 6);
  return Array.from({ length: records }, (_, at) => {
    const isClips = random.uniform() < 0.3;
    const [tag, address] = isClips ? ['CLIPS', '203.0.113.9'] : ['CHAT', '198.51.100.7'];
    const evidence = random.uniform();
    return usage(subscriber, day, at * 120 + random.integer(0, 60), {
      // On the way home they use the next gateway.
      nodeId: nodeOf((subscriber + (at > records / 2 ? 1 : 0)) % NODES),
      zeroRatingTag: evidence < 0.17 ? null : tag,
      remoteIp: evidence > 0.83 ? '192.0.2.1' : address,
      uplinkOctets: Math.floor(size * 0.4 * random.uniform()),
      downlinkOctets: Math.floor(size),
    });
  });
}

const FRAUDS = 1000;

/** One fraud of each kind, by the rule that must find it, each of its own subscriber. */
export const PLANTED = {
  tag_elsewhere: {
    subscriber: FRAUDS,
    records: Array.from({ length: 30 }, (_, at) => usage(FRAUDS, at % DAYS, at * 20, { remoteIp: '8.8.8.8' })),
  },
  many_nodes: {
    subscriber: FRAUDS + 1,
    records: Array.from({ length: 9 }, (_, at) =>
      usage(FRAUDS + 1, 2, at * 60, { nodeId: at < NODES ? nodeOf(at) : `gw-far-${at}` }),
    ),
  },
  upload_share: {
    subscriber: FRAUDS + 2,
    records: Array.from({ length: 20 }, (_, at) =>
      usage(FRAUDS + 2, at % DAYS, at * 30, { uplinkOctets: 5 * MIB, downlinkOctets: MIB / 2 }),
    ),
  },
  volume: {
    subscriber: FRAUDS + 3,
    records: Array.from({ length: DAYS }, (_, day) => usage(FRAUDS + 3, day, 600, { downlinkOctets: 4000 * MIB })),
  },
  several_places: {
    subscriber: FRAUDS + 4,
    records: [0, 1, 2, 3].flatMap((at) => [
      usage(FRAUDS + 4, 4, at * 60, { nodeId: 'gw-1' }),
      usage(FRAUDS + 4, 4, at * 60 + 2, { nodeId: 'gw-2' }),
    ]),
  },
  fast_travel: {
    subscriber: FRAUDS + 5,
    records: [usage(FRAUDS + 5, 5, 0, { nodeId: 'gw-1' }), usage(FRAUDS + 5, 5, 20, { nodeId: 'gw-abroad' })],
  },
  roaming: {
    subscriber: FRAUDS + 6,
    records: Array.from({ length: DAYS }, (_, day) =>
      usage(FRAUDS + 6, day, 700, { nodeId: 'gw-abroad', downlinkOctets: 20 * MIB }),
    ),
  },
};

/** Conflicts of tag and address on one day, and a day on which an application comes from everywhere. */
export const CONFLICTS = Array.from({ length: 40 }, (_, at) =>
  usage(FRAUDS + 10, 3, at * 10, { remoteIp: '203.0.113.9' }),
);
export const SPREAD = Array.from({ length: 10 }, (_, at) =>
  usage(FRAUDS + 20 + at, 7, 300, { nodeId: `gw-wide-${at}`, zeroRatingTag: 'CLIPS', remoteIp: '203.0.113.9' }),
);

/** Every node of the traffic but the widespread ones. */
export const NODE_COUNTRIES = new Map([
  ...Array.from({ length: NODES }, (_, node) => [nodeOf(node), 'DE'] as const),
  ...Array.from({ length: 9 }, (_, at) => [`gw-far-${at}`, 'DE'] as const),
  ['gw-abroad', 'FR'] as const,
]);
