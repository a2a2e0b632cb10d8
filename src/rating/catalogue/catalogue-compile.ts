import { createHash } from 'node:crypto';
import type { DocumentFault } from '../../formats/document-fault.ts';
import { readYamlDocument } from '../../formats/read-yaml-document.ts';
import type { Application, Campaign, Catalogue, Plan } from '../catalogue.ts';
import type { Claimed, Span } from '../claims.ts';
import type { DetectionClaim } from '../detection-claims.ts';
import { formatPortSpan } from '../flow-condition.ts';
import { CONTENT_TYPES } from '../flow-record.ts';
import { parseMicros } from '../money.ts';
import { NO_NUMBER, type ServiceClaim } from '../service-claims.ts';
import { compileHours, compileNetwork } from './catalogue-conditions.ts';
import { type CatalogueDocument, catalogueSchema, type PlanDocument } from './catalogue-document.ts';
import { catalogueFaults } from './catalogue-faults.ts';
import { compileMonthlyTerms } from './catalogue-monthly-terms.ts';
import { type AddedPart, expandParts, noParts, type ReadPart } from './catalogue-parts.ts';
import { type CountedPlans, successionFaults } from './catalogue-succession-faults.ts';
import {
  type ClaimDocument,
  type DetectionDocument,
  type PrefixDocument,
  readClaim,
  readDetection,
  readFlow,
  type ServiceDocument,
} from './claim-document.ts';
import { minorDigitsOf } from './currencies.ts';
import { compileFurtherQuotas } from './further-quotas.ts';

export type ParsedCatalogue =
  | { catalogue: Catalogue; faults?: undefined }
  | { catalogue?: undefined; faults: DocumentFault[] };

const NOT_COVERED = -1;

/**
 * Reads a catalogue file: ready for rating, or everything that is wrong with it, by line. `before`: what plans have counted
 * under the catalogues that it takes over from. `readPart`: reads the parts that it names; what they hold is as if it were in the
 * catalogue itself. `added`: a part to read as if it named that one, too.
 */
export function parseCatalogue(
  text: string,
  fileName: string,
  before: CountedPlans = new Map(),
  readPart: ReadPart = noParts,
  added?: AddedPart,
): ParsedCatalogue {
  const read = readYamlDocument(text, fileName, catalogueSchema);
  if (read.faults !== undefined) return { faults: read.faults };
  const expanded = expandParts(read.value, fileName, read.locate, readPart, added);
  if (expanded.faults.length > 0) return { faults: expanded.faults };
  const faults = [
    ...catalogueFaults(expanded.document, expanded.nameOf),
    ...successionFaults(expanded.document, before),
  ];
  if (faults.length > 0) return { faults: expanded.place(faults) };
  const document = withCanonicalFlows(withDecimals(expanded.document));
  return { catalogue: compile(document, canonicalJson(document)) };
}

/**
 * A catalogue from its own `canonicalJson`, as a replay finds it in the store. Its hash is that of the very text. Throws on
 * a text that no catalogue was ever written as.
 */
export function catalogueFromCanonicalJson(json: string): Catalogue {
  return compile(catalogueSchema.parse(JSON.parse(json)), json);
}

/** The decimals that apply are part of the catalogue, so that another table of currencies is another catalogue. */
function withDecimals(document: CatalogueDocument): CatalogueDocument {
  const sponsors = document.sponsors.map((sponsor) => ({ ...sponsor, minorDigits: minorDigitsOf(sponsor.currency) }));
  return { ...document, sponsors };
}

/** The same protocol and ports are the same catalogue, however they are written. */
function withCanonicalFlows(document: CatalogueDocument): CatalogueDocument {
  const applications = document.applications.map((application) => {
    const hasFlows = application.prefixes.some((prefix) => typeof prefix !== 'string' && prefix.protocol !== undefined);
    return hasFlows ? { ...application, prefixes: application.prefixes.map(canonicalPrefix) } : application;
  });
  return { ...document, applications };
}

/** Returns a prefix as every spelling of the same protocol and ports has it: the number, and ascending spans. */
function canonicalPrefix(prefix: PrefixDocument): PrefixDocument {
  if (typeof prefix === 'string') return prefix;
  const flow = readFlow(prefix);
  if (flow === undefined) return prefix;
  const ports = flow.ports.length === 0 ? undefined : flow.ports.map(formatPortSpan);
  return { ...prefix, protocol: flow.protocol, ports };
}

function compile(document: CatalogueDocument, canonicalJson: string): Catalogue {
  const sponsorIndex = new Map(document.sponsors.map(({ id }, i) => [id, i]));
  const applicationIndex = new Map(document.applications.map(({ id }, i) => [id, i]));
  const indexOfApplication = (id: string) => indexOf(applicationIndex, id);
  const { furtherQuotas, ofPlans } = compileFurtherQuotas(
    document,
    (id) => indexOf(sponsorIndex, id),
    indexOfApplication,
  );
  const plans = document.plans.map((plan, i) =>
    compilePlan(plan, indexOfApplication(plan.application), ofPlans[i], document),
  );
  const plansOf = document.applications.map((): number[] => []);
  plans.forEach(({ application }, plan) => {
    plansOf[application].push(plan);
  });
  return {
    hash: createHash('sha256').update(canonicalJson).digest('hex'),
    canonicalJson,
    sponsors: document.sponsors.map(({ creditLimit, ...sponsor }) => ({
      ...sponsor,
      minorDigits: sponsor.minorDigits ?? minorDigitsOf(sponsor.currency),
      creditLimitMicros: micros(creditLimit),
    })),
    applications: document.applications.map(
      (application, i): Application => ({
        ...application,
        tags: application.tags.map(compileClaim),
        prefixes: application.prefixes.map(compileClaim),
        aspIdentities: (application.aspIdentities ?? []).map(compileClaim),
        sponsorIdentities: (application.sponsorIdentities ?? []).map(compileClaim),
        services: [...(application.ratingGroups ?? []), ...(application.serviceIdentifiers ?? []).map(asService)].map(
          compileService,
        ),
        detections: (application.detectedNames ?? []).map(compileDetection),
        sponsor: indexOf(sponsorIndex, application.sponsor),
        plans: plansOf[i].sort((a, b) => plans[a].effectiveFromMs - plans[b].effectiveFromMs),
      }),
    ),
    plans,
    furtherQuotas,
    ...(document.invoicing !== undefined && { invoicing: document.invoicing }),
    ...(document.monthlyTerms !== undefined && { monthlyTerms: document.monthlyTerms.map(compileMonthlyTerms) }),
  };
}

/** Returns a claim of the catalogue's document with its dates in milliseconds. */
export function compileClaim(claim: ClaimDocument): Claimed {
  const { text, from, to, flow } = readClaim(claim);
  if (from === undefined && to === undefined && flow === undefined) return text;
  return { text, ...spanOf({ from, to }), ...(flow !== undefined && { flow }) };
}

/** A number alone is a rating group; one of `serviceIdentifiers` is made an object. */
function asService(service: number | ServiceDocument): ServiceDocument {
  return typeof service === 'number' ? { serviceIdentifier: service } : service;
}

function compileService(service: number | ServiceDocument): ServiceClaim {
  const { ratingGroup, serviceIdentifier, from, to }: ServiceDocument =
    typeof service === 'number' ? { ratingGroup: service } : service;
  return {
    ratingGroup: ratingGroup ?? NO_NUMBER,
    serviceIdentifier: serviceIdentifier ?? NO_NUMBER,
    ...spanOf({ from, to }),
  };
}

function compileDetection(detection: DetectionDocument): DetectionClaim {
  const { name, by, from, to } = readDetection(detection);
  return { name, by: by ?? null, ...spanOf({ from, to }) };
}

function spanOf({ from, to }: { from?: string | undefined; to?: string | undefined }): Span {
  return {
    fromMs: from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from),
    toMs: to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to),
  };
}

function compilePlan(
  plan: PlanDocument,
  application: number,
  furtherQuotas: readonly number[],
  document: CatalogueDocument,
): Plan {
  return {
    id: plan.id,
    version: plan.version,
    application,
    effectiveFromMs: Date.parse(plan.effectiveFrom),
    effectiveToMs: plan.effectiveTo === null ? Number.POSITIVE_INFINITY : Date.parse(plan.effectiveTo),
    period: plan.period,
    timeZone: plan.timeZone,
    order: plan.order ?? Number.POSITIVE_INFINITY,
    hours: compileHours(plan.conditions, plan.timeZone),
    network: compileNetwork(plan.conditions, document),
    shareBasisPoints: CONTENT_TYPES.map((type) => plan.content[type] ?? NOT_COVERED),
    quotaOctets: plan.quotaOctets ?? Number.POSITIVE_INFINITY,
    allocateAboveOctets: plan.allocateAboveOctets ?? 0,
    notifyAtBasisPoints: plan.notifyAt,
    tiers: plan.tiers.map(({ upToOctets, pricePerMiB }) => ({
      upToOctets: upToOctets ?? Number.POSITIVE_INFINITY,
      pricePerMiBMicros: micros(pricePerMiB),
    })),
    latePolicy: plan.latePolicy,
    furtherQuotas,
    ...(plan.campaign !== undefined && { campaign: compileCampaign(plan.campaign) }),
  };
}

function compileCampaign({ payment, audience, caps = [] }: NonNullable<PlanDocument['campaign']>): Campaign {
  return {
    payment,
    audience,
    caps: caps.map(({ per, octets, money, notifyAt = [] }) => ({
      per,
      unit: octets === undefined ? ('money' as const) : ('octets' as const),
      limit: octets ?? micros(money ?? ''),
      notifyAtBasisPoints: notifyAt,
    })),
  };
}

function indexOf(indexes: ReadonlyMap<string, number>, id: string): number {
  const index = indexes.get(id);
  if (index === undefined) throw new Error(`the checked catalogue names ${id}, which it does not hold`);
  return index;
}

function micros(text: string): number {
  const value = parseMicros(text);
  if (value === null) throw new Error(`the checked catalogue holds ${text} for money`);
  return value;
}

/** The same as JSON.stringify gives of a value whose maps have sorted keys, without a copy of the value. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const map = value as Readonly<Record<string, unknown>>;
  const pairs = Object.keys(map)
    .filter((key) => map[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(map[key])}`);
  return `{${pairs.join(',')}}`;
}
