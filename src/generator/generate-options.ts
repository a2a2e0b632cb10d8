import { ConfigError } from '../platform/config/config-error.ts';
import type { Application } from '../rating/catalogue.ts';
import { type Claimed, claimText, isInForce } from '../rating/claims.ts';
import type { ContentType, FlowRecord } from '../rating/flow-record.ts';
import { MALFORMATIONS, type Malformation } from './malformations.ts';

/** Tags, addresses and identities to draw from, each as it is in force; a catalogue's application is such a target. */
type DatedTarget = Pick<Application, 'tags' | 'prefixes'> &
  Partial<Pick<Application, 'aspIdentities' | 'sponsorIdentities' | 'services'>>;

/** What is in force of a target at one time. */
export interface GenerateTarget {
  tags: readonly string[];
  /** CIDR text, v4 or v6, and of some the protocol and ports that they are for. */
  prefixes: readonly Claimed[];
  aspIdentities?: readonly string[];
  sponsorIdentities?: readonly string[];
}

type Identities = Pick<FlowRecord, 'sponsorIdentity' | 'applicationServiceProviderIdentity'>;
export const NO_IDENTITIES: Identities = { sponsorIdentity: null, applicationServiceProviderIdentity: null };

/** Shares are parts of all records, from 0 to 1. */
export interface GenerateOptions {
  /** 0 to 2^53 - 1: the same options with the same seed give the same records. */
  seed: number;
  records: number;
  /** Number of subscribers; their activity is skewed. */
  subscribers: number;
  targets: readonly DatedTarget[];
  /** Every startTime lies in [startTimeMs, endTimeMs), but for late records. */
  startTimeMs: number;
  endTimeMs: number;
  /** Gateways that make records; each numbers its own. */
  nodes?: number;
  /**
   * Shares of the valid records: with a tag only, a proxy address only, a CDR's identity only, none. The rest has tag and
   * address.
   */
  tagged?: number;
  ipMatched?: number;
  identified?: number;
  unmatched?: number;
  malformed?: number;
  duplicate?: number;
  /** Share with the identity of an earlier record and other octets. */
  conflicting?: number;
  /** Share used one or two months before the month of startTimeMs. */
  late?: number;
  /** Share of records before which the node skips one to three sequence numbers. */
  gaps?: number;
  /** Largest distance, in records, from a duplicate to its original. */
  duplicateWindow?: number;
  /** Weights by content type; `unknown` makes records that name none. */
  contentTypes?: Partial<Record<ContentType, number>>;
  /** Leaves out the optional IMSI and rating group. */
  terse?: boolean;
  /** Faults of malformed records; a format that cannot hold them all narrows this. */
  malformations?: readonly Malformation[];
  /** Length of an oversized record: choose it above the engine's `limits.maxRecordBytes`. */
  oversizedOctets?: number;
}

export type GenerateSettings = Required<GenerateOptions>;

const DEFAULTS = {
  nodes: 4,
  tagged: 0.25,
  ipMatched: 0.25,
  identified: 0,
  unmatched: 0.2,
  malformed: 0,
  duplicate: 0,
  conflicting: 0,
  late: 0,
  gaps: 0,
  duplicateWindow: 100_000,
  contentTypes: { text: 30, voice: 10, image: 25, video: 15, other: 5, unknown: 15 },
  terse: false,
  malformations: MALFORMATIONS.map(({ malformation }) => malformation),
  oversizedOctets: 70_000,
} as const;

const SHARES = [
  'tagged',
  'ipMatched',
  'identified',
  'unmatched',
  'malformed',
  'duplicate',
  'conflicting',
  'late',
  'gaps',
] as const;

/** Returns the options with defaults. Throws a ConfigError that names the option and its range. */
export function completeOptions(options: GenerateOptions): GenerateSettings {
  const settings: GenerateSettings = { ...DEFAULTS, ...options };
  requireInteger('seed', settings.seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('records', settings.records, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('subscribers', settings.subscribers, 1, 1_000_000_000);
  requireInteger('nodes', settings.nodes, 1, 9999);
  requireInteger('duplicateWindow', settings.duplicateWindow, 1, 10_000_000);
  requireInteger('oversizedOctets', settings.oversizedOctets, 1024, 2 ** 30);
  requireInteger('startTimeMs', settings.startTimeMs, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('endTimeMs', settings.endTimeMs, settings.startTimeMs + 1, Number.MAX_SAFE_INTEGER);
  for (const share of SHARES) requireShare(share, settings[share]);
  const { tagged, ipMatched, identified, unmatched, malformed, duplicate, conflicting, late } = settings;
  requireShare('tagged + ipMatched + identified + unmatched', tagged + ipMatched + identified + unmatched);
  requireShare('malformed + duplicate + conflicting + late', malformed + duplicate + conflicting + late);
  if (malformed > 0 && settings.malformations.length === 0) throw new ConfigError('malformations: none is given');
  requireTargets(settings);
  return settings;
}

/** Returns the share of valid records that have both a tag and a proxy address. */
export function tagAndIpShare({ tagged, ipMatched, identified, unmatched }: GenerateSettings): number {
  const rest = 1 - tagged - ipMatched - unmatched - identified;
  // 0.1 + 0.2 + 0.7 is not quite 1.
  return rest < 1e-9 ? 0 : rest;
}

/** Returns the application identities of a CDR. */
export function identitiesOf({ aspIdentities = [], sponsorIdentities = [] }: GenerateTarget): readonly Identities[] {
  return [
    ...aspIdentities.map((identity) => ({ ...NO_IDENTITIES, applicationServiceProviderIdentity: identity })),
    ...sponsorIdentities.map((identity) => ({ ...NO_IDENTITIES, sponsorIdentity: identity })),
  ];
}

/** Returns what is in force of the targets at an instant. */
export function targetsAt(targets: readonly DatedTarget[], timeMs: number): GenerateTarget[] {
  const claimsInForce = (claims: readonly Claimed[]) => claims.filter((claim) => isInForce(claim, timeMs));
  const inForce = (claims: readonly Claimed[] = []) => claimsInForce(claims).map(claimText);
  return targets.map(({ tags, prefixes, aspIdentities, sponsorIdentities }) => ({
    tags: inForce(tags),
    prefixes: claimsInForce(prefixes),
    aspIdentities: inForce(aspIdentities),
    sponsorIdentities: inForce(sponsorIdentities),
  }));
}

/** Returns the instants at which something of the targets begins or ends to be in force, in their order. */
export function turnsOf(targets: readonly DatedTarget[]): number[] {
  const turns = new Set<number>();
  for (const { tags, prefixes, aspIdentities = [], sponsorIdentities = [] } of targets) {
    for (const claims of [tags, prefixes, aspIdentities, sponsorIdentities]) {
      for (const claim of claims) if (typeof claim !== 'string') turns.add(claim.fromMs).add(claim.toMs);
    }
  }
  return [...turns].filter(Number.isFinite).sort((a, b) => a - b);
}

/** Every share needs something to draw from, at all times of records. */
function requireTargets(settings: GenerateSettings): void {
  const { targets, late, startTimeMs, endTimeMs } = settings;
  const firstMs = late > 0 ? firstMonthMs(settings) - LATEST_MS : startTimeMs;
  const turns = turnsOf(targets).filter((timeMs) => timeMs > firstMs && timeMs < endTimeMs);
  for (const timeMs of [firstMs, ...turns]) {
    const when = turns.length === 0 ? '' : ` at ${new Date(timeMs).toISOString()}`;
    requireShares(settings, targetsAt(targets, timeMs), when);
  }
}

function requireShares(settings: GenerateSettings, targets: readonly GenerateTarget[], when: string): void {
  const withTag = targets.some(({ tags }) => tags.length > 0);
  const withPrefix = targets.some(({ prefixes }) => prefixes.length > 0);
  const withBoth = targets.some(({ tags, prefixes }) => tags.length > 0 && prefixes.length > 0);
  if (settings.tagged > 0 && !withTag) {
    throw new ConfigError(`tagged: no application has a tag${when}; set the share to 0`);
  }
  if (settings.ipMatched > 0 && !withPrefix) {
    throw new ConfigError(`ipMatched: no application has a prefix${when}; set the share to 0`);
  }
  if (settings.identified > 0 && !targets.some((target) => identitiesOf(target).length > 0)) {
    throw new ConfigError(`identified: no application has an identity${when}; set the share to 0`);
  }
  if (tagAndIpShare(settings) > 0 && !withBoth) {
    throw new ConfigError(
      `no application has both tags and prefixes${when}: make tagged + ipMatched + identified + unmatched 1`,
    );
  }
}

/** Late records are used up to so long before the month that the span begins in. */
export const LATEST_MS = 60 * 86_400_000;

/** Returns the beginning of the month, UTC, that the span begins in. */
export function firstMonthMs({ startTimeMs }: Pick<GenerateSettings, 'startTimeMs'>): number {
  const first = new Date(startTimeMs);
  return Date.UTC(first.getUTCFullYear(), first.getUTCMonth());
}

function requireInteger(name: string, value: number, from: number, to: number): void {
  if (!Number.isSafeInteger(value) || value < from || value > to) {
    throw new ConfigError(`${name} must be an integer from ${from} to ${to}, not ${value}`);
  }
}

function requireShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1 + 1e-9)) throw new ConfigError(`${name} must be a share from 0 to 1, not ${value}`);
}
