import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Reason } from '../../rating/outcome.ts';
import type { Facts } from '../../rating/rules.ts';
import { type Document, type SecondLimit, type SecondPlan, secondPlanOf } from './second-plans.ts';

export { priceOf, type SecondPlan } from './second-plans.ts';

const DAY_MS = 86_400_000;
const ADDRESS_BITS = 128;
const V4_BITS = 32;
const SET_BACK_MINUTES = 180;
/** IPv4 addresses are those of ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
const V4_MAPPED = 0xffffn << 32n;

export type SecondApplication = Document['applications'][number];

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

/** The rules of one batch for the second computation: a catalogue, the suspensions, and the closings. Opaque to callers. */
export interface SecondRules {
  byTag: Titles<string>;
  /** By the identities of CDRs. */
  byAspIdentity: Titles<string>;
  bySponsorIdentity: Titles<string>;
  /** Longest prefixes first; for each length the titles by the leading bits of their networks. */
  byPrefix: readonly { length: number; owners: Titles<bigint> }[];
  /** Sponsor and currency, by application id. */
  payers: ReadonlyMap<string, { sponsorId: string; currency: string }>;
  /** By application id; no two are in force together. */
  plans: ReadonlyMap<string, readonly SecondPlan[]>;
  suspendedSponsorIds: ReadonlySet<string>;
  /** By sponsor id: a day of the last closed month, and the latest end of the periods that are closed with it. */
  lastClosed: ReadonlyMap<string, { month: number; endedByMs: number }>;
  /** Formats the local calendar date of an instant, by time zone. */
  calendars: ReadonlyMap<string, Intl.DateTimeFormat>;
  /** Cache: was a period over at an instant? */
  periodsOver: Map<string, boolean>;
}

/**
 * Compiles a catalogue's canonical JSON and the facts as of the batch. Costs a millisecond: reuse it for batches with the
 * same rules.
 */
export function secondRules(canonicalJson: string, { suspensions, closings }: Facts): SecondRules {
  const { sponsors, applications, plans, quotas = [] }: Document = JSON.parse(canonicalJson);
  const currencies = new Map(sponsors.map(({ id, currency }) => [id, currency]));
  return {
    payers: new Map(
      applications.map(({ id, sponsor }) => [id, { sponsorId: sponsor, currency: currencies.get(sponsor) ?? '' }]),
    ),
    byTag: titles(applications, 'tags'),
    byAspIdentity: titles(applications, 'aspIdentities'),
    bySponsorIdentity: titles(applications, 'sponsorIdentities'),
    byPrefix: prefixesByLength(applications),
    plans: new Map(
      applications.map(({ id }) => [
        id,
        plans.filter(({ application }) => application === id).map((plan) => secondPlanOf(plan, quotas)),
      ]),
    ),
    suspendedSponsorIds: suspensions.sponsorIds,
    lastClosed: closings.lastClosed,
    calendars: new Map([...plans, ...quotas].map(({ timeZone }) => [timeZone, calendarOf(timeZone)])),
    periodsOver: new Map(),
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

function prefixesByLength(applications: readonly SecondApplication[]): SecondRules['byPrefix'] {
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

function calendarOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' });
}

/**
 * Returns the last instant that a record may name: the configured limit after its log's time, which is its own timestamp, or
 * the end of the batch's booking date where the log has no timestamp of this century.
 */
export function lastInstantOf(timestampMs: number | null, bookingDay: number, maxFutureSkewMs: number): number {
  if (maxFutureSkewMs <= 0) return Number.POSITIVE_INFINITY;
  const hasTimestamp = timestampMs !== null && new Date(timestampMs).getUTCFullYear() >= 2000;
  const logTimeMs = hasTimestamp ? timestampMs : new Date(bookingDay * DAY_MS).setUTCHours(24, 0, 0, 0);
  return logTimeMs + maxFutureSkewMs;
}

export type Recognised =
  | { reason: null; application: SecondApplication; evidence: string }
  | { reason: Reason; application: SecondApplication | undefined };

/** The evidence that each match policy requires, in the order in which missing evidence is reported. */
const ASKED_FOR: Readonly<Record<string, readonly ('tag' | 'cdr' | 'ip')[]>> = {
  any: [],
  tag: ['tag'],
  cdr: ['cdr'],
  ip: ['ip'],
  both: ['tag', 'ip'],
};
const MISSING = { tag: 'tag_missing', cdr: 'identity_missing', ip: 'prefix_missing' } as const;

/**
 * Recognises an application: the tag decides first, then the CDR's identities, then the longest prefix, each as it was when the
 * record started; none may name another application.
 */
export function recognise(rules: SecondRules, record: FlowRecord): Recognised {
  const { zeroRatingTag, remoteIp } = record;
  const identified = ownerOfIdentities(rules, record);
  if (identified === 'two sponsors') return { reason: 'evidence_conflict', application: undefined };
  const witnesses = [
    { kind: 'tag' as const, application: holderFor(rules.byTag.get(zeroRatingTag ?? ''), record) },
    { kind: 'cdr' as const, application: identified },
    { kind: 'ip' as const, application: ownerOfAddress(rules, addressBits(remoteIp), record) },
  ].filter(({ application }) => application !== undefined);
  const application = witnesses[0]?.application;
  if (application === undefined) return { reason: nothingFound(record), application };
  if (witnesses.some((witness) => witness.application !== application)) {
    return { reason: 'evidence_conflict', application: undefined };
  }
  const kinds = witnesses.map(({ kind }) => kind);
  const missing = ASKED_FOR[application.match ?? 'any'].find((kind) => !kinds.includes(kind));
  if (missing !== undefined) return { reason: MISSING[missing], application };
  return { reason: null, application, evidence: kinds.join('+') };
}

function nothingFound({ zeroRatingTag, sponsorIdentity, applicationServiceProviderIdentity }: FlowRecord): Reason {
  if (zeroRatingTag !== null) return 'unknown_tag';
  const isIdentified = sponsorIdentity !== null || applicationServiceProviderIdentity !== null;
  return isIdentified ? 'unknown_identity' : 'no_evidence';
}

/**
 * Returns the application of a CDR's identities. The provider's identity names the service. The sponsor's counts where that
 * is unclaimed, and must not name another sponsor.
 */
function ownerOfIdentities(
  { byAspIdentity, bySponsorIdentity }: SecondRules,
  record: FlowRecord,
): SecondApplication | undefined | 'two sponsors' {
  const provided = holderFor(byAspIdentity.get(record.applicationServiceProviderIdentity ?? ''), record);
  const paid = holderFor(bySponsorIdentity.get(record.sponsorIdentity ?? ''), record);
  if (provided !== undefined && paid !== undefined && provided.sponsor !== paid.sponsor) return 'two sponsors';
  return provided ?? paid;
}

function ownerOfAddress({ byPrefix }: SecondRules, address: bigint, record: FlowRecord): SecondApplication | undefined {
  for (const { length, owners } of byPrefix) {
    const owner = holderFor(owners.get(address >> BigInt(ADDRESS_BITS - length)), record);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

/** Returns the plan of an application that is in force at an instant: from `effectiveFrom` on, before `effectiveTo`. */
export function secondPlanInForce(
  { plans }: SecondRules,
  applicationId: string,
  timeMs: number,
): SecondPlan | undefined {
  return plans.get(applicationId)?.find(({ fromMs, toMs }) => fromMs <= timeMs && timeMs < toMs);
}

/**
 * Returns the first day, in days since 1970-01-01, of the period of a plan or a limit that holds an instant: by the date on its
 * calendar.
 */
export function firstDayOfPeriod(
  rules: SecondRules,
  { period, timeZone }: Pick<SecondLimit, 'period' | 'timeZone'>,
  timeMs: number,
): number {
  const calendar = rules.calendars.get(timeZone);
  if (calendar === undefined) throw new Error(`no calendar for ${timeZone}`);
  const [month, day, year] = calendar.format(timeMs).split('/').map(Number);
  const today = Date.UTC(year, month - 1, day) / DAY_MS;
  // Day 0 was a Thursday, three days after a Monday; west of Greenwich it may still be 1969.
  const daysIntoPeriod = { day: 0, week: (today + 3 + 7) % 7, month: day - 1 }[period];
  // A period that began before 1970 is booked on its first day.
  return Math.max(0, today - daysIntoPeriod);
}

/**
 * Returns whether a period is closed to a plan's records: its month is closed, the period was over at the closing, and the
 * plan makes no adjustments.
 */
export function isClosed(rules: SecondRules, plan: SecondPlan, sponsorId: string, periodStart: number): boolean {
  const closed = rules.lastClosed.get(sponsorId);
  if (plan.document.latePolicy !== 'refuse' || closed === undefined) return false;
  if (monthOf(periodStart) > monthOf(closed.month)) return false;
  return plan.toMs <= closed.endedByMs || isOver(rules, plan, periodStart, closed.endedByMs);
}

/** Returns whether a period is over at an instant, and for as long after it as clocks may go back over a midnight. */
function isOver(rules: SecondRules, plan: SecondPlan, periodStart: number, timeMs: number): boolean {
  if (timeMs === Number.POSITIVE_INFINITY) return true;
  const key = `${plan.document.period} ${plan.document.timeZone} ${periodStart} ${timeMs}`;
  let isOver = rules.periodsOver.get(key);
  if (isOver === undefined) {
    const minutes = [...Array(SET_BACK_MINUTES).keys()];
    isOver = minutes.every((minute) => firstDayOfPeriod(rules, plan.document, timeMs + minute * 60_000) > periodStart);
    rules.periodsOver.set(key, isOver);
  }
  return isOver;
}

/** Returns a month such as 2026-11; a later month is a greater text. */
function monthOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 7);
}
