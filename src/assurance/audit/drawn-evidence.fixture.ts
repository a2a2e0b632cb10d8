import fc from 'fast-check';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';

const APPLICATIONS = 4;
const START_MS = Date.UTC(2026, 2, 2);
const WEEK_MS = 7 * 86_400_000;
/** Where claims begin and end: weekly, and one span that lasts a millisecond. */
const BORDERS = [0, 1, 2, 3, 4].flatMap((week) =>
  (week === 2 ? [0, 1] : [0]).map((ms) => START_MS + week * WEEK_MS + ms),
);
export const TIMES = BORDERS.flatMap((border) => [border - 1, border, border + 1]).concat(START_MS + WEEK_MS / 2);
export const TAGS = ['chat', 'chat-2', 'É '];
export const IDENTITIES = ['asp', 'pay', 'É '];
const NETWORKS = [
  ...['0.0.0.0/0', '198.51.0.0/16', '198.51.0.0/24', '198.51.100.0/24', '198.51.100.64/26', '198.51.100.70/32'],
  ...['2000::/3', '2001:db8::/32', '2001:db8::/64', '2001:db8:0:0:8000::/65', '2001:db8:1::/48', '2001:db8:1::5/128'],
];
/** Rating groups and service identifiers, null for any, and what records have. */
const SERVICES: readonly (readonly [number | null, number | null])[] = [
  ...([
    [1001, null],
    [1002, null],
    [2 ** 31 - 1, null],
    [1001, 7],
    [1002, 7],
    [null, 7],
    [null, 0],
  ] as const),
];
export const RATING_GROUPS = [null, null, 0, 1001, 1001, 1002, 1003, 2 ** 31 - 1];
export const SERVICE_IDENTIFIERS = [null, null, null, 0, 7, 7, 8];
/** What gateways detect, and how; no record is of two ways of a name. */
const DETECTED: readonly (readonly [name: string, by: readonly (string | null)[] | undefined])[] = [
  ['chat', undefined],
  ['É ', ['sni']],
  ['É ', ['dns', 'dpi']],
];
export const DETECTED_NAMES = [null, null, 'chat', 'chat', 'É ', 'É ', 'other'];
export const DETECTED_BY = [null, 'sni', 'dns', 'dpi'] as const;
/** First and last addresses of the networks, and what lies beside them. */
export const ADDRESSES = [
  ...['8.8.8.8', '198.51.0.0', '198.51.0.255', '198.51.1.0', '198.51.255.255', '198.52.0.0', '198.51.100.63'],
  ...['198.51.100.64', '198.51.100.69', '198.51.100.70', '198.51.100.71', '198.51.100.127', '198.51.100.128'],
  ...['::ffff:198.51.100.70', '::198.51.100.70', '1fff:ffff::', '2001:db7:ffff::', '2001:db8::', '2001:db8:0:0:7fff::'],
  ...['2001:db8:0:0:8000::1', '2001:db8:0:1::', '2001:db8:1::5', '2001:db8:1::6', '2001:db9::', '4000::'],
];

/** Protocol and ports of a claim as a catalogue writes them, and what records they are, by a function of their own. */
interface PlainFlow {
  written: object;
  isOf: (protocol: number, port: number) => boolean;
}
/** No record is of two of them. */
const FLOWS: readonly PlainFlow[] = [
  { written: { protocol: 'tcp', ports: 443 }, isOf: (protocol, port) => protocol === 6 && port === 443 },
  {
    written: { protocol: 6, ports: ['8000-8099', '80', '81-82'] },
    isOf: (protocol, port) => protocol === 6 && ((port >= 8000 && port < 8100) || (port >= 80 && port < 83)),
  },
  { written: { protocol: 'udp' }, isOf: (protocol) => protocol === 17 },
  { written: { protocol: 'sctp', ports: '0-65534' }, isOf: (protocol, port) => protocol === 132 && port < 65_535 },
  { written: { protocol: 50 }, isOf: (protocol) => protocol === 50 },
];
const ALL: PlainFlow = { written: {}, isOf: () => true };
export const PROTOCOLS = [1, 6, 6, 6, 17, 50, 132];
export const PORTS = [0, 79, 80, 82, 83, 442, 443, 443, 444, 7999, 8000, 8099, 8100, 65_534, 65_535];

/** One claim, as the reference reads it. */
export interface PlainClaim {
  text: string;
  owner: number;
  fromMs: number;
  toMs: number;
  flow: PlainFlow;
}

/**
 * Draws claims of a text that never overlap: an owner, or none, for each span between two borders. Neighbouring spans of one
 * owner are one claim or several.
 */
function claimsOfOne(text: string, flow: PlainFlow): fc.Arbitrary<PlainClaim[]> {
  const edges = [Number.NEGATIVE_INFINITY, ...BORDERS, Number.POSITIVE_INFINITY];
  const owner = fc.integer({ min: -1, max: APPLICATIONS - 1 });
  const spans = fc.oneof(
    owner.map((always) => [{ owner: always, from: 0, to: edges.length - 1 }]),
    fc
      .array(fc.tuple(owner, fc.boolean()), { minLength: edges.length - 1, maxLength: edges.length - 1 })
      .map((drawn) => {
        const claims: { owner: number; from: number; to: number }[] = [];
        for (const [at, [own, isJoined]] of drawn.entries()) {
          const before = claims.at(-1);
          if (isJoined && before?.owner === own) before.to = at + 1;
          else claims.push({ owner: own, from: at, to: at + 1 });
        }
        return claims;
      }),
  );
  return spans.map((all) =>
    all
      .filter((claim) => claim.owner >= 0)
      .map(({ owner: own, from, to }) => ({ text, owner: own, fromMs: edges[from], toMs: edges[to], flow })),
  );
}

function claimsOf(texts: readonly string[]): fc.Arbitrary<PlainClaim[]> {
  return fc.tuple(...texts.map((text) => claimsOfOne(text, ALL))).map((all) => all.flat());
}

/** A network is claimed for all traffic, or for some protocols and ports apart. */
function networkClaims(): fc.Arbitrary<PlainClaim[]> {
  const ofOne = (network: string) => {
    const apart = fc.tuple(...FLOWS.map((flow) => claimsOfOne(network, flow))).map((all) => all.flat());
    return fc.oneof(claimsOfOne(network, ALL), apart);
  };
  return fc.tuple(...NETWORKS.map(ofOne)).map((all) => all.flat());
}

/** The text of a claim is its place in SERVICES. */
function serviceClaims(): fc.Arbitrary<PlainClaim[]> {
  return fc
    .tuple(...SERVICES.map((_, at) => fc.oneof(fc.constant([]), claimsOfOne(String(at), ALL))))
    .map((all) => all.flat());
}

/** By every claim, one after the other: of the pair, then of the service identifier, then of the rating group. */
export function ownerOfService(
  claims: readonly PlainClaim[],
  record: { ratingGroup: number | null; serviceIdentifier: number | null; startTime: number },
): number {
  const { ratingGroup, serviceIdentifier, startTime } = record;
  const wanted = [
    [ratingGroup, serviceIdentifier],
    [null, serviceIdentifier],
    [ratingGroup, null],
  ];
  for (const [group, service] of wanted) {
    const found = claims.find((claim) => {
      const [ownGroup, ownService] = SERVICES[Number(claim.text)];
      const isIts = ownGroup === group && ownService === service;
      return isIts && claim.fromMs <= startTime && startTime < claim.toMs;
    });
    if (found !== undefined) return found.owner;
  }
  return -1;
}

/** The text of a claim is its place in DETECTED. */
function detectionClaims(): fc.Arbitrary<PlainClaim[]> {
  return fc.tuple(...DETECTED.map((_, at) => claimsOfOne(String(at), ALL))).map((all) => all.flat());
}

/** By every claim, one after the other. */
export function ownerOfDetection(
  claims: readonly PlainClaim[],
  record: { detectedApplication: string | null; detectedBy: string | null; startTime: number },
): number {
  const found = claims.find((claim) => {
    const [name, by] = DETECTED[Number(claim.text)];
    const isIts = name === record.detectedApplication && (by === undefined || by.includes(record.detectedBy));
    return isIts && claim.fromMs <= record.startTime && record.startTime < claim.toMs;
  });
  return found?.owner ?? -1;
}

export const evidence = fc.record({
  tags: claimsOf(TAGS),
  prefixes: networkClaims(),
  aspIdentities: claimsOf(IDENTITIES),
  sponsorIdentities: claimsOf(IDENTITIES),
  services: fc.oneof(fc.constant<PlainClaim[]>([]), serviceClaims()),
  detections: fc.oneof(fc.constant<PlainClaim[]>([]), detectionClaims()),
  detectedAlone: fc.array(fc.boolean(), { minLength: APPLICATIONS, maxLength: APPLICATIONS }),
  match: fc.array(fc.constantFrom('any', 'any', 'any', 'tag', 'ip', 'both', 'cdr', 'detected'), {
    minLength: APPLICATIONS,
    maxLength: APPLICATIONS,
  }),
});
type Drawn = typeof evidence extends fc.Arbitrary<infer T> ? T : never;

const KEYS = { tags: 'tag', prefixes: 'cidr', aspIdentities: 'identity', sponsorIdentities: 'identity' } as const;

/** Returns the catalogue that has the drawn claims. Its applications 0 and 2, 1 and 3 are of one sponsor each. */
export function catalogueOf({ match, services, detections, detectedAlone, ...lists }: Drawn): Catalogue {
  const iso = (timeMs: number) => (Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : undefined);
  const written = (list: keyof typeof KEYS, owner: number) => {
    const own = lists[list].filter((claim) => claim.owner === owner);
    if (own.length === 0) return undefined;
    return own.map(({ text, fromMs, toMs, flow }) => {
      const [from, to] = [iso(fromMs), iso(toMs)];
      const isPlain = from === undefined && to === undefined && flow === ALL;
      return isPlain ? text : { [KEYS[list]]: text, from, to, ...flow.written };
    });
  };
  const writtenServices = (owner: number) => {
    const own = services
      .filter((claim) => claim.owner === owner)
      .map(({ text, fromMs, toMs }) => {
        const [ratingGroup, serviceIdentifier] = SERVICES[Number(text)];
        const isPlain =
          !Number.isFinite(fromMs) && !Number.isFinite(toMs) && (ratingGroup === null || serviceIdentifier === null);
        return { ratingGroup, serviceIdentifier, isPlain, from: iso(fromMs), to: iso(toMs) };
      });
    const entries = (list: typeof own) =>
      list.length === 0
        ? undefined
        : list.map(({ ratingGroup, serviceIdentifier, isPlain, from, to }) =>
            isPlain
              ? (ratingGroup ?? serviceIdentifier)
              : { ratingGroup: ratingGroup ?? undefined, serviceIdentifier: serviceIdentifier ?? undefined, from, to },
          );
    return {
      ratingGroups: entries(own.filter(({ ratingGroup }) => ratingGroup !== null)),
      serviceIdentifiers: entries(own.filter(({ ratingGroup }) => ratingGroup === null)),
    };
  };
  const writtenDetections = (owner: number) => {
    const own = detections.filter((claim) => claim.owner === owner);
    if (own.length === 0) return {};
    const detectedNames = own.map(({ text, fromMs, toMs }) => {
      const [name, by] = DETECTED[Number(text)];
      const isPlain = by === undefined && !Number.isFinite(fromMs) && !Number.isFinite(toMs);
      return isPlain ? name : { name, by, from: iso(fromMs), to: iso(toMs) };
    });
    return { detectedNames, ...(detectedAlone[owner] && { detection: 'alone' }) };
  };
  // A policy that asks for a detection needs a name.
  const policyOf = (policy: string, owner: number) =>
    policy === 'detected' && detections.every((claim) => claim.owner !== owner) ? 'any' : policy;
  const document = {
    sponsors: ['s0', 's1'].map((id) => ({ id, name: id, currency: 'EUR', creditLimit: '1' })),
    applications: match.map((policy, i) => ({
      ...{ id: `a${i}`, sponsor: `s${i % 2}`, match: policyOf(policy, i) },
      ...writtenServices(i),
      ...writtenDetections(i),
      ...Object.fromEntries((Object.keys(KEYS) as (keyof typeof KEYS)[]).map((list) => [list, written(list, i)])),
    })),
    plans: match.map((_, i) => ({
      ...{ id: `p${i}`, application: `a${i}`, version: 1, period: 'month', timeZone: 'UTC', quotaOctets: null },
      ...{ effectiveFrom: '2020-01-01T00:00:00Z', effectiveTo: null, content: { unknown: 10_000 } },
      tiers: [{ upToOctets: null, pricePerMiB: '1' }],
    })),
  };
  const { catalogue, faults } = parseCatalogue(JSON.stringify(document), 'drawn.yaml');
  if (catalogue === undefined) throw new Error(faults.map(formatFault).join('\n'));
  return catalogue;
}
