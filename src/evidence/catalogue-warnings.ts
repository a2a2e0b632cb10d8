import type { Application, Catalogue, MatchPolicy } from '../rating/catalogue.ts';
import { type Claimed, claimText, conditionsOf } from '../rating/claims.ts';
import { overlappingPrefixes } from './address-spans.ts';
import type { ChargedEvidence } from './charged-evidence.ts';
import type { CloudRange } from './shared-clouds.ts';

/** What is no fault of a catalogue, and often not meant. */
type WarningCode = 'shared_cloud' | 'ipv4_only' | 'unmatched_evidence' | 'nothing_booked';

export interface CatalogueWarning {
  code: WarningCode;
  /** Where in the catalogue's document; empty for the catalogue as a whole. */
  path: readonly (string | number)[];
  /** What is found, and what to do; one line. */
  message: string;
}

/** How long evidence may be without a charge, and what was charged at all. */
export interface EvidenceUse {
  days: number;
  charged: readonly ChargedEvidence[];
}

export interface WarningContext {
  nowMs: number;
  /** Empty: prefixes are not compared. */
  sharedClouds: readonly CloudRange[];
  /** Null: there is no store to ask. */
  use: EvidenceUse | null;
}

/** Policies under which a prefix alone makes a record the application's. */
const BY_PREFIX_ALONE: readonly MatchPolicy[] = ['any', 'ip'];
/** Most ranges that a warning names. */
const NAMED = 3;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Lists of an application by the kind of evidence that they are, as the journal names it. */
const CLAIM_LISTS = [
  { kind: 'tag', list: 'tags', noun: 'tags' },
  { kind: 'ip', list: 'prefixes', noun: 'prefixes' },
  { kind: 'cdr', list: 'aspIdentities', noun: 'identities' },
  { kind: 'cdr', list: 'sponsorIdentities', noun: 'identities' },
] as const;

/** Returns what to look at in a catalogue, application by application. */
export function catalogueWarnings({ applications }: Catalogue, context: WarningContext): CatalogueWarning[] {
  return [
    ...sharedCloudWarnings(applications, context),
    ...applications.flatMap((application, i) => ipv4OnlyWarning(application, i, context)),
    ...(context.use === null ? [] : unmatchedWarnings(applications, context.use, context.nowMs)),
  ];
}

function sharedCloudWarnings(
  applications: readonly Application[],
  { sharedClouds, nowMs }: Pick<WarningContext, 'sharedClouds' | 'nowMs'>,
): CatalogueWarning[] {
  if (sharedClouds.length === 0) return [];
  const claims = applications.flatMap(({ match, prefixes }, application) =>
    BY_PREFIX_ALONE.includes(match)
      ? current(prefixes, nowMs).map((claimed) => ({ prefix: claimText(claimed), application }))
      : [],
  );
  const found = new Map<number, { prefixes: Set<string>; ranges: Set<string> }>();
  for (const [range, { prefix, application }] of overlappingPrefixes(sharedClouds, claims)) {
    const own = found.get(application) ?? { prefixes: new Set(), ranges: new Set() };
    found.set(application, own);
    own.prefixes.add(prefix);
    own.ranges.add(`${range.prefix} (${range.file})`);
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .map(([application, { prefixes, ranges }]) => {
      const all = current(applications[application].prefixes, nowMs).length;
      return {
        code: 'shared_cloud' as const,
        path: ['applications', application, 'prefixes'],
        message:
          `${prefixes.size} of ${all} prefixes of ${applications[application].id} share addresses with a cloud that other tenants use, ` +
          `as ${named([...ranges])}: ask for a tag or a detection too (match: both, match: detected), or claim addresses of its own only`,
      };
    });
}

function ipv4OnlyWarning(
  { id, match, prefixes }: Application,
  application: number,
  { nowMs }: Pick<WarningContext, 'nowMs'>,
): CatalogueWarning[] {
  const claims = current(prefixes, nowMs);
  // With these a record needs other evidence, which it has over IPv6 too.
  const needsNone = match === 'tag' || match === 'cdr';
  if (needsNone || claims.length === 0 || claims.some((claimed) => claimText(claimed).includes(':'))) return [];
  return [
    {
      code: 'ipv4_only',
      path: ['applications', application, 'prefixes'],
      message:
        `${id} has prefixes of IPv4 only (${claims.length}): traffic of terminals with IPv6, and traffic through NAT64, is not recognised by address. ` +
        'Add its IPv6 prefixes, and its IPv4 ones within the prefix of the NAT64 (64:ff9b::/96)',
    },
  ];
}

function unmatchedWarnings(
  applications: readonly Application[],
  { days, charged }: EvidenceUse,
  nowMs: number,
): CatalogueWarning[] {
  const since = new Date(nowMs - days * DAY_MS).toISOString().slice(0, 10);
  if (!charged.some(({ lastDay }) => lastDay >= since)) {
    const message = `no record was charged since ${since}: unmatched evidence cannot be determined; check that this is the right store`;
    return [{ code: 'nothing_booked', path: [], message }];
  }
  const lastDays = new Map<string, string>();
  for (const { applicationId, evidence, lastDay } of charged) {
    for (const kind of evidence.split('+')) {
      const key = `${applicationId} ${kind}`;
      if (lastDay > (lastDays.get(key) ?? '')) lastDays.set(key, lastDay);
    }
  }
  return applications.flatMap((application, i) =>
    CLAIM_LISTS.flatMap(({ kind, list, noun }): CatalogueWarning[] => {
      const inForce = application[list].filter((claimed) => isInForceSince(claimed, nowMs - days * DAY_MS, nowMs));
      const lastDay = lastDays.get(`${application.id} ${kind}`);
      if (inForce.length === 0 || (lastDay !== undefined && lastDay >= since)) return [];
      const last = lastDay === undefined ? 'never before either' : `the last one on ${lastDay}`;
      return [
        {
          code: 'unmatched_evidence',
          path: ['applications', i, list],
          message:
            `no record of ${application.id} was charged by its ${noun} since ${since} (${last}), ` +
            `with ${inForce.length} of them in force: compare them with what the sponsor publishes, and end those that are not used`,
        },
      ];
    }),
  );
}

function current(claims: readonly Claimed[], nowMs: number): Claimed[] {
  return claims.filter((claimed) => (conditionsOf(claimed)?.toMs ?? Number.POSITIVE_INFINITY) > nowMs);
}

function isInForceSince(claimed: Claimed, fromMs: number, nowMs: number): boolean {
  const span = conditionsOf(claimed);
  return span === undefined || (span.fromMs <= fromMs && span.toMs > nowMs);
}

function named(texts: readonly string[]): string {
  const rest = texts.length > NAMED ? ` and ${texts.length - NAMED} more` : '';
  return `${texts.slice(0, NAMED).join(', ')}${rest}`;
}
