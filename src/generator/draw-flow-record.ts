import type { FlowCondition } from '../rating/flow-condition.ts';
import { CONTENT_TYPES, type FlowRecord, NO_LATER_FIELDS } from '../rating/flow-record.ts';
import {
  firstMonthMs,
  type GenerateSettings,
  type GenerateTarget,
  identitiesOf,
  LATEST_MS,
  NO_IDENTITIES,
  tagAndIpShare,
  targetsAt,
  turnsOf,
} from './generate-options.ts';
import { drawSubscriber, terminalIp } from './generated-subscribers.ts';
import type { Random } from './random.ts';
import { createRemoteAddresses } from './remote-addresses.ts';
import { drawTraffic, MAX_DURATION_MS } from './traffic.ts';

/** A record's evidence of an application: its tag, an address of its proxies, both, an identity, or none. */
const EVIDENCES = ['tagged', 'ipMatched', 'unmatched', 'tagAndIp', 'identified'] as const;
export type GeneratedEvidence = (typeof EVIDENCES)[number];

export interface DrawnRecord {
  record: FlowRecord;
  evidence: GeneratedEvidence;
}

/** Draws the valid record at a place from 0 to `settings.records` - 1, which determines its time in the span. */
export type FlowRecordDrawer = (place: number, late: boolean) => DrawnRecord;

const DAY_MS = 86_400_000;
// Records leave a gateway within a quarter of an hour, so usage times are only nearly in order.
const DISORDER_MS = 900_000;
// One in ten unmatched records carries an unclaimed tag.
const UNCLAIMED_TAG_SHARE = 0.1;
const UNCLAIMED_TAG = 'unassigned-tag';
const TCP = 6;
const UDP = 17;

export function createFlowRecordDrawer(settings: GenerateSettings, random: Random): FlowRecordDrawer {
  const remotesAt = createRemoteDrawers(settings, random);
  const nextSequenceNumber = createNumbering(settings, random);
  const contentWeights = CONTENT_TYPES.map((type) => settings.contentTypes[type] ?? 0);
  // A rating group that an application claims would be evidence.
  const claimedGroups = new Set(
    settings.targets.flatMap(({ services = [] }) => services.map((claim) => claim.ratingGroup)),
  );
  return (place, late) => {
    const subscriber = drawSubscriber(settings.subscribers, random);
    const traffic = drawTraffic(contentWeights, random);
    const nominalMs = nominalTime(settings, place);
    const drawRemote = remotesAt(nominalMs);
    const drawn = drawRemote();
    const startTime = late ? drawLateTime(settings, random) : drawStartTime(settings, nominalMs, random);
    // Where evidence has just begun or ended, and of late records, the start may lie before that.
    const remote = remotesAt(startTime) === drawRemote ? drawn : remotesAt(startTime)();
    const { evidence, target, remoteIp, flow, zeroRatingTag, identities = NO_IDENTITIES } = remote;
    const node = subscriber.rank % settings.nodes;
    const record: FlowRecord = {
      // The seed is part of the name, so files of two seeds do not claim the same identities.
      nodeId: `gw-${settings.seed}-${String(node + 1).padStart(2, '0')}`,
      localSequenceNumber: nextSequenceNumber(node),
      chargingId: random.uint32(),
      recordSequenceNumber: random.integer(1, 8),
      servedMsisdn: subscriber.msisdn,
      servedImsi: settings.terse ? null : subscriber.imsi,
      startTime,
      endTime: startTime + traffic.durationMs,
      terminalIp: terminalIp(subscriber, remoteIp),
      terminalPort: random.integer(32_768, 60_999),
      remoteIp,
      remotePort: flow?.ports[0]?.first ?? (traffic.contentType === 'voice' ? 3478 : 443),
      protocol: flow?.protocol ?? (traffic.contentType === 'voice' ? UDP : TCP),
      zeroRatingTag,
      contentType: traffic.contentType,
      ratingGroup: settings.terse || target === null || claimedGroups.has(100 + target) ? null : 100 + target,
      serviceIdentifier: null,
      uplinkOctets: traffic.uplinkOctets,
      downlinkOctets: traffic.downlinkOctets,
      ...identities,
      ...NO_LATER_FIELDS,
    };
    return { record, evidence };
  };
}

interface Remote {
  evidence: GeneratedEvidence;
  /** Index into the targets. */
  target: number | null;
  remoteIp: string;
  /** What the prefix of the address is for; absent: any traffic. */
  flow?: FlowCondition | undefined;
  zeroRatingTag: string | null;
  /** Absent: none. */
  identities?: typeof NO_IDENTITIES;
}

/** Returns what draws the evidence of a time; between two turns of the targets it is one. */
function createRemoteDrawers(settings: GenerateSettings, random: Random): (timeMs: number) => () => Remote {
  const turns = turnsOf(settings.targets);
  const drawers = new Map<number, () => Remote>();
  return (timeMs) => {
    let span = 0;
    while (span < turns.length && turns[span] <= timeMs) span++;
    const drawer = drawers.get(span) ?? createRemoteDrawer(settings, targetsAt(settings.targets, timeMs), random);
    drawers.set(span, drawer);
    return drawer;
  };
}

function createRemoteDrawer(
  settings: GenerateSettings,
  targets: readonly GenerateTarget[],
  random: Random,
): () => Remote {
  const { tagged, ipMatched, identified, unmatched } = settings;
  const addresses = createRemoteAddresses(targets);
  const weights = [tagged, ipMatched, unmatched, tagAndIpShare(settings), identified];
  const indexes = targets.map((_, index) => index);
  const withTag = indexes.filter((index) => targets[index].tags.length > 0);
  const withPrefix = indexes.filter((index) => targets[index].prefixes.length > 0);
  const withIdentity = indexes.filter((index) => identitiesOf(targets[index]).length > 0);
  const withBoth = withTag.filter((index) => targets[index].prefixes.length > 0);
  const tagOf = (target: number) => random.pick(targets[target].tags);
  return () => {
    const evidence = EVIDENCES[random.weighted(weights)];
    if (evidence === 'tagged') {
      const target = random.pick(withTag);
      return { evidence, target, remoteIp: addresses.unclaimed(random), zeroRatingTag: tagOf(target) };
    }
    if (evidence === 'ipMatched') {
      const target = random.pick(withPrefix);
      return { evidence, target, ...addresses.ofTarget(target, random), zeroRatingTag: null };
    }
    if (evidence === 'tagAndIp') {
      const target = random.pick(withBoth);
      // The address is drawn first: a seed gives the records that it has always given.
      const remote = addresses.ofTarget(target, random);
      return { evidence, target, ...remote, zeroRatingTag: tagOf(target) };
    }
    if (evidence === 'identified') {
      const target = random.pick(withIdentity);
      const identities = random.pick(identitiesOf(targets[target]));
      return { evidence, target, remoteIp: addresses.unclaimed(random), zeroRatingTag: null, identities };
    }
    const zeroRatingTag = random.uniform() < UNCLAIMED_TAG_SHARE ? UNCLAIMED_TAG : null;
    return { evidence, target: null, remoteIp: addresses.unclaimed(random), zeroRatingTag };
  };
}

/** Numbers records consecutively from 1 for each node, but for the requested gaps. */
function createNumbering({ nodes, gaps }: GenerateSettings, random: Random): (node: number) => number {
  const last = new Float64Array(nodes);
  return (node) => {
    // A missing first number of a node cannot be noticed, so no gap precedes it.
    if (gaps > 0 && last[node] > 0 && random.uniform() < gaps) last[node] += random.integer(1, 3);
    last[node] += 1;
    return last[node];
  };
}

/** Usage advances evenly from start to end of the span. */
function nominalTime({ startTimeMs, endTimeMs, records }: GenerateSettings, place: number): number {
  return startTimeMs + Math.floor(((endTimeMs - startTimeMs) * place) / records);
}

function drawStartTime({ startTimeMs, endTimeMs }: GenerateSettings, nominalMs: number, random: Random): number {
  const spanMs = endTimeMs - startTimeMs;
  return Math.max(startTimeMs, nominalMs - random.integer(0, Math.min(DISORDER_MS, Math.floor(spanMs / 10))));
}

/**
 * Draws a time one to 60 days before the month that the span begins in. At least a day, so that it is an earlier month in
 * any time zone.
 */
function drawLateTime(settings: GenerateSettings, random: Random): number {
  return Math.max(0, firstMonthMs(settings) - random.integer(DAY_MS + MAX_DURATION_MS, LATEST_MS));
}
