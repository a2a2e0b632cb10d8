import type * as z from 'zod';
import type { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';

const ADDRESS_BITS = 128;
const V4_BITS = 32;
/** IPv4 addresses are those of ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
const V4_MAPPED = 0xffffn << 32n;

/** In the catalogue's canonical JSON; a field with a default may be absent from an older one. */
export type SecondApplication = z.input<typeof catalogueSchema>['applications'][number];

/** One application's right to a tag, an identity or a network, for records that start from `sinceMs` on and before `untilMs`. */
interface Title {
  application: SecondApplication;
  sinceMs: number;
  untilMs: number;
  /** Of a network: the protocol and the ports of the remote side, first and last of each span, that the title is for; null for all. */
  protocol: number | null;
  ports: readonly (readonly number[])[] | null;
}

/** All titles to the same, of which at most one is valid for a record. */
type Titles<Key> = ReadonlyMap<Key, readonly Title[]>;

/** What applications of a catalogue claim, for the second computation. Opaque to callers. */
export interface SecondEvidence {
  byTag: Titles<string>;
  /** By the identities of CDRs. */
  byAspIdentity: Titles<string>;
  bySponsorIdentity: Titles<string>;
  /** By rating group and service identifier, in one key; `any` for a claim that asks for none. */
  byService: Titles<string>;
  /** By the name that was detected, and how: `chat by sni`, `chat by null`. */
  byDetection: Titles<string>;
  /** Longest prefixes first; for each length the titles by the leading bits of their networks. */
  byPrefix: readonly { length: number; owners: Titles<bigint> }[];
}

export function secondEvidence(applications: readonly SecondApplication[]): SecondEvidence {
  return {
    byTag: titles(applications, 'tags'),
    byAspIdentity: titles(applications, 'aspIdentities'),
    bySponsorIdentity: titles(applications, 'sponsorIdentities'),
    byService: titlesToServices(applications),
    byDetection: titlesToDetections(applications),
    byPrefix: prefixesByLength(applications),
  };
}

type Dated =
  | string
  | {
      from?: string | undefined;
      to?: string | undefined;
      protocol?: number | string | undefined;
      ports?: number | string | (number | string)[] | undefined;
    };

function titleOf(application: SecondApplication, own: Dated): Title {
  const { from, to } = typeof own === 'string' ? {} : own;
  return {
    application,
    sinceMs: from === undefined ? Number.NEGATIVE_INFINITY : new Date(from).getTime(),
    untilMs: to === undefined ? Number.POSITIVE_INFINITY : new Date(to).getTime(),
    ...trafficOf(own),
  };
}

/** Returns the traffic of a network that a title is for: in canonical JSON a protocol is its number, and ports are a list. */
function trafficOf(own: Dated): Pick<Title, 'protocol' | 'ports'> {
  if (typeof own === 'string' || own.protocol === undefined) return { protocol: null, ports: null };
  const protocol = Number(own.protocol);
  if (own.ports === undefined) return { protocol, ports: null };
  const ports = [own.ports].flat().map((text) => String(text).split('-').map(Number));
  return { protocol, ports };
}

function addTitle<Key>(titles: Map<Key, Title[]>, key: Key, title: Title): void {
  const others = titles.get(key);
  if (others === undefined) titles.set(key, [title]);
  else others.push(title);
}

/** Returns the titles to the tags, or to the identities, of a list. */
function titles(
  applications: readonly SecondApplication[],
  list: 'tags' | 'aspIdentities' | 'sponsorIdentities',
): Titles<string> {
  const all = new Map<string, Title[]>();
  for (const application of applications) {
    for (const own of application[list] ?? []) {
      const word = typeof own === 'string' ? own : 'tag' in own ? own.tag : own.identity;
      addTitle(all, word, titleOf(application, own));
    }
  }
  return all;
}

function titlesToServices(applications: readonly SecondApplication[]): Titles<string> {
  const all = new Map<string, Title[]>();
  for (const application of applications) {
    for (const own of application.ratingGroups ?? []) {
      const { ratingGroup, serviceIdentifier = 'any', ...dates } = typeof own === 'number' ? { ratingGroup: own } : own;
      addTitle(all, `${ratingGroup}/${serviceIdentifier}`, titleOf(application, dates));
    }
    for (const own of application.serviceIdentifiers ?? []) {
      const { serviceIdentifier, ...dates } = typeof own === 'number' ? { serviceIdentifier: own } : own;
      addTitle(all, `any/${serviceIdentifier}`, titleOf(application, dates));
    }
  }
  return all;
}

function titlesToDetections(applications: readonly SecondApplication[]): Titles<string> {
  const all = new Map<string, Title[]>();
  for (const application of applications) {
    for (const own of application.detectedNames ?? []) {
      const { name, by = ['sni', 'dns', 'dpi', null], ...dates } = typeof own === 'string' ? { name: own } : own;
      for (const way of by) addTitle(all, `${name} by ${way}`, titleOf(application, dates));
    }
  }
  return all;
}

/** Returns the application of a record's rating group and service identifier: of both together, or else of the second, or else of the first. */
function ownerOfService({ byService }: SecondEvidence, record: FlowRecord): SecondApplication | undefined {
  const { ratingGroup, serviceIdentifier } = record;
  for (const key of [`${ratingGroup}/${serviceIdentifier}`, `any/${serviceIdentifier}`, `${ratingGroup}/any`]) {
    const owner = holderFor(byService.get(key), record);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

/** Returns the application whose title is valid for a record. */
function holderFor(titles: readonly Title[] | undefined, record: FlowRecord): SecondApplication | undefined {
  return titles?.find(({ sinceMs, untilMs, protocol, ports }) => {
    if (record.startTime < sinceMs || record.startTime >= untilMs) return false;
    if (protocol !== null && protocol !== record.protocol) return false;
    return (
      ports === null || ports.some((span) => span[0] <= record.remotePort && record.remotePort <= (span.at(-1) ?? 0))
    );
  })?.application;
}

function prefixesByLength(applications: readonly SecondApplication[]): SecondEvidence['byPrefix'] {
  const byLength = new Map<number, Map<bigint, Title[]>>();
  for (const application of applications) {
    for (const own of application.prefixes ?? []) {
      const { length, leadingBits } = networkOf(typeof own === 'string' ? own : own.cidr);
      const owners = byLength.get(length) ?? new Map<bigint, Title[]>();
      byLength.set(length, owners);
      addTitle(owners, leadingBits, titleOf(application, own));
    }
  }
  return [...byLength].map(([length, owners]) => ({ length, owners })).sort((a, b) => b.length - a.length);
}

function networkOf(cidr: string): { length: number; leadingBits: bigint } {
  const [address, digits] = cidr.split('/');
  const length = Number(digits) + (address.includes(':') ? 0 : ADDRESS_BITS - V4_BITS);
  return { length, leadingBits: addressBits(address) >> BigInt(ADDRESS_BITS - length) };
}

/** Returns the 128 bits of a valid address. */
function addressBits(text: string): bigint {
  if (!text.includes(':')) return V4_MAPPED | v4Bits(text);
  const [before, after] = text.split('::');
  const head = groupsOf(before);
  const tail = groupsOf(after ?? '');
  const zeros = Array<bigint>(8 - head.length - tail.length).fill(0n);
  return [...head, ...zeros, ...tail].reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** Returns the /24 of an IPv4 address or the /48 of any other, in the notation of RFC 5952. */
export function networkOfAddress(text: string): string {
  const bits = addressBits(text);
  if (bits >> 32n === 0xffffn) {
    const octets = [24n, 16n, 8n].map((shift) => (bits >> shift) & 0xffn);
    return `${octets.join('.')}.0/24`;
  }
  const groups = [112n, 96n, 80n].map((shift) => ((bits >> shift) & 0xffffn).toString(16));
  // The run of zeros after a /48 is longer than any before it, so it is the one that is left out.
  while (groups.at(-1) === '0') groups.pop();
  return `${groups.join(':')}::/48`;
}

/** Returns the 16 bit groups of a part of an IPv6 address; it may end in a dotted IPv4 address. */
function groupsOf(part: string): bigint[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const bits = v4Bits(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}

function v4Bits(dotted: string): bigint {
  return dotted.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
}

export type Recognised =
  | { reason: null; application: SecondApplication; evidence: string }
  | { reason: Reason; application: SecondApplication | undefined };

/** The evidence that each match policy requires, in the order in which missing evidence is reported. */
const ASKED_FOR: Readonly<Record<string, readonly ('tag' | 'detection' | 'cdr' | 'ip')[]>> = {
  any: [],
  tag: ['tag'],
  cdr: ['cdr'],
  detected: ['detection'],
  ip: ['ip'],
  both: ['tag', 'ip'],
};
const MISSING = {
  tag: 'tag_missing',
  detection: 'detection_missing',
  cdr: 'identity_missing',
  ip: 'prefix_missing',
} as const;

/**
 * Recognises an application: the tag decides first, then the CDR's identities or its service, then the longest prefix, each as it
 * was when the record started; none may name another application, and neither may what the gateway detected.
 */
export function recognise(rules: SecondEvidence, record: FlowRecord): Recognised {
  const { zeroRatingTag, remoteIp } = record;
  const identified = ownerOfIdentities(rules, record);
  const serviced = ownerOfService(rules, record);
  const differ = identified !== undefined && serviced !== undefined && identified !== serviced;
  if (identified === 'two sponsors' || differ) return { reason: 'evidence_conflict', application: undefined };
  const witnesses = [
    { kind: 'tag' as const, application: holderFor(rules.byTag.get(zeroRatingTag ?? ''), record) },
    { kind: 'cdr' as const, application: identified ?? serviced },
    { kind: 'ip' as const, application: ownerOfAddress(rules, addressBits(remoteIp), record) },
  ].filter(({ application }) => application !== undefined);
  const detected = ownerOfDetection(rules, record);
  if (witnesses.length === 0 && detected !== undefined) {
    if (detected.detection !== 'alone') return { reason: 'detected_only', application: detected };
    witnesses.push({ kind: 'cdr', application: detected });
  }
  const application = witnesses[0]?.application;
  if (application === undefined) return { reason: nothingFound(record), application };
  if (
    [...witnesses.map((witness) => witness.application), detected ?? application].some((each) => each !== application)
  ) {
    return { reason: 'evidence_conflict', application: undefined };
  }
  const kinds = witnesses.map(({ kind }) => kind);
  const given = detected === undefined ? kinds : [...kinds, 'detection'];
  const missing = ASKED_FOR[application.match ?? 'any'].find((kind) => !given.includes(kind));
  if (missing !== undefined) return { reason: MISSING[missing], application };
  return { reason: null, application, evidence: kinds.join('+') };
}

function nothingFound({ zeroRatingTag, sponsorIdentity, applicationServiceProviderIdentity }: FlowRecord): Reason {
  if (zeroRatingTag !== null) return 'unknown_tag';
  const isIdentified = sponsorIdentity !== null || applicationServiceProviderIdentity !== null;
  return isIdentified ? 'unknown_identity' : 'no_evidence';
}

function ownerOfDetection({ byDetection }: SecondEvidence, record: FlowRecord): SecondApplication | undefined {
  const { detectedApplication, detectedBy } = record;
  return detectedApplication === null
    ? undefined
    : holderFor(byDetection.get(`${detectedApplication} by ${detectedBy}`), record);
}

/**
 * Returns the application of a CDR's identities. The provider's identity names the service. The sponsor's counts where that
 * is unclaimed, and must not name another sponsor.
 */
function ownerOfIdentities(
  { byAspIdentity, bySponsorIdentity }: SecondEvidence,
  record: FlowRecord,
): SecondApplication | undefined | 'two sponsors' {
  const provided = holderFor(byAspIdentity.get(record.applicationServiceProviderIdentity ?? ''), record);
  const paid = holderFor(bySponsorIdentity.get(record.sponsorIdentity ?? ''), record);
  if (provided !== undefined && paid !== undefined && provided.sponsor !== paid.sponsor) return 'two sponsors';
  return provided ?? paid;
}

function ownerOfAddress(
  { byPrefix }: SecondEvidence,
  address: bigint,
  record: FlowRecord,
): SecondApplication | undefined {
  for (const { length, owners } of byPrefix) {
    const owner = holderFor(owners.get(address >> BigInt(ADDRESS_BITS - length)), record);
    if (owner !== undefined) return owner;
  }
  return undefined;
}
