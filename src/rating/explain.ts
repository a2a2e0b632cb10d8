import { type Application, type Catalogue, periodStartDay } from './catalogue.ts';
import { type Claimed, claimText, conditionsOf, holdsFor, isInForce, type Span } from './claims.ts';
import { takesDetection } from './detection-claims.ts';
import { type Explanation, planSteps } from './explain-plan.ts';
import { flowInWords, protocolInWords } from './flow-condition.ts';
import {
  CONFLICTING_IDENTITIES,
  CONTENT_TYPES,
  type Decoder,
  EVIDENCES,
  FlowBatch,
  type FlowRecord,
  NO_TAG,
  UNDECIDED,
} from './flow-record.ts';
import { type IngestContext, incoming } from './incoming.ts';
import { parseCidr } from './ip-address.ts';
import { Lane } from './lane.ts';
import { formatMicros } from './money.ts';
import { outcomeInWords, type Reason } from './outcome.ts';
import { admit, classifyBatch, rateBatch, readRecord } from './pipeline.ts';
import { PLAIN_RULES } from './record/record-limits.ts';
import type { Rules } from './rules.ts';
import { NO_NUMBER, type ServiceClaim, serviceInWords } from './service-claims.ts';
import type { PseudonymKey } from './subscribers.ts';

/** The counter that an explanation starts from: what the journal has, or zeros. */
interface CounterBefore {
  usedOctets: number;
  carry: number;
}

/** `planId`: or the id of a further quota. */
export type CounterLookUp = (subscriber: string, planId: string, periodStart: number) => Promise<CounterBefore>;

/** Takes one record through the same steps as the engine and says at each of them what was found and why. */
export async function explainRecord(
  value: Uint8Array,
  decode: Decoder,
  rules: Rules,
  pseudonymKey: PseudonymKey,
  counterOf: CounterLookUp,
  recordContext: Pick<IngestContext, 'rules' | 'bookingDay'> = { rules: PLAIN_RULES, bookingDay: 0 },
): Promise<Explanation[]> {
  const lane = new Lane({ pseudonymKey, duplicateWindowRecords: 1 });
  const batch = new FlowBatch(1);
  admit(batch, [incoming(value)], { ...recordContext, decode, keyedByMsisdn: false }, lane, rules);
  const { msisdn } = recordContext.rules;
  const record = readRecord(incoming(value), decode, { msisdn, latestTimeMs: Number.POSITIVE_INFINITY });
  if (batch.reason[0] !== UNDECIDED || 'reason' in record) {
    return [{ step: 'decode', text: batch.rejections[0].detail }, outcome(batch)];
  }
  const subscriber = Buffer.from(lane.subscribers.pseudonym(0)).toString('hex');
  const octets = `${batch.uplinkOctets[0]} octets up, ${batch.downlinkOctets[0]} down`;
  const steps: Explanation[] = [{ step: 'decode', text: `a flow record of subscriber ${subscriber}: ${octets}` }];

  classifyBatch(batch, lane, rules);
  steps.push(evidenceOf(batch, record, rules), ...application(batch, rules.catalogue));
  const refusal = (at: number) => campaignRefusal(at, batch, rules, lane.subscribers);
  steps.push(...planSteps(batch, record, rules.catalogue, refusal), ...campaign(batch, rules, lane.subscribers));
  for (const { detail } of batch.rejections) steps.push({ step: 'closing', text: detail });
  if (batch.reason[0] !== UNDECIDED) return [...steps, outcome(batch)];

  const { id } = rules.catalogue.plans[batch.plan[0]];
  const before = await counterOf(subscriber, id, batch.periodStart[0]);
  const counter = lane.counters.open(0, lane.planPeriods.numberOf(id, batch.periodStart[0]));
  lane.counters.set(counter, before.usedOctets, before.carry);
  const further: QuotaBefore[] = [];
  const counting = rules.quotaBook?.countedBy(batch.plan[0], batch.startTimeMs[0]) ?? [];
  for (const { id, per, quotaOctets, calendar } of counting) {
    const periodStart = calendar.startDay(batch.startTimeMs[0]);
    const holder = per === 'account' ? batch.account[0] : batch.subscriber[0];
    const who = Buffer.from(lane.subscribers.pseudonym(holder)).toString('hex');
    const { usedOctets } = await counterOf(who, id, periodStart);
    lane.counters.set(lane.counters.open(holder, lane.planPeriods.numberOf(id, periodStart)), usedOctets, 0);
    const account = per === 'account' && record.accountId !== null ? who : null;
    further.push({ id, quotaOctets, periodStart, usedOctets, account });
  }
  rateBatch(batch, lane, rules);
  const [content, quota, price] = rating(batch, rules.catalogue, before);
  return [...steps, content, quota, ...furtherInWords(batch, rules.catalogue, before, further), price, outcome(batch)];
}

/** A further quota that counts the record, as it was before it. */
interface QuotaBefore {
  id: string;
  quotaOctets: number;
  periodStart: number;
  usedOctets: number;
  /** Pseudonym of the account that it counts for; null: the subscriber. */
  account: string | null;
}

/** Says what each further quota leaves, and which quotas, the plan's included, let no more octets be sponsored. */
function furtherInWords(
  batch: FlowBatch,
  { plans }: Catalogue,
  before: CounterBefore,
  further: readonly QuotaBefore[],
): Explanation[] {
  if (further.length === 0) return [];
  const plan = plans[batch.plan[0]];
  const sponsored = batch.sponsoredOctets[0];
  const counted = further.map(({ id, quotaOctets, periodStart, usedOctets, account }): Explanation => {
    const used = `${usedOctets} octets used since ${dayInWords(periodStart)}, ${usedOctets + sponsored} after this record`;
    const whose = account === null ? '' : ` of account ${account}`;
    return { step: 'quota', text: `${id}: a quota of ${quotaOctets}${whose}; ${used}` };
  });
  const usedUp = [{ id: plan.id, quotaOctets: plan.quotaOctets, usedOctets: before.usedOctets }, ...further].filter(
    ({ quotaOctets, usedOctets }) => usedOctets + sponsored >= quotaOctets,
  );
  if (usedUp.length === 0) return counted;
  return [...counted, { step: 'quota', text: `used up: ${usedUp.map(({ id }) => id).join(', ')}` }];
}

function dayInWords(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}

function evidenceOf(batch: FlowBatch, record: FlowRecord, { catalogue: { applications } }: Rules): Explanation {
  const found = [
    ...tagInWords(batch, record, applications),
    ...identitiesInWords(batch, record, applications),
    ...servicesInWords(record, applications),
    ...prefixesInWords(batch, record, applications),
    ...detectionInWords(record, applications),
  ];
  return { step: 'evidence', text: `${found.join('; ')}; evidence: ${EVIDENCES[batch.evidence[0]]}` };
}

function tagInWords(batch: FlowBatch, record: FlowRecord, applications: readonly Application[]): string[] {
  if (batch.tag[0] === NO_TAG) return ['no tag'];
  const claims = claimsOf(applications, 'tags', (tag) => tag === record.zeroRatingTag);
  if (claims.length === 0) return ['a tag that no application claims'];
  const decided = claims.find(({ claimed }) => isInForce(claimed, record.startTime));
  if (decided === undefined) return [notInForce('the tag', claims, record)];
  return [`the tag of ${decided.applicationId}${spanOf(decided)}`];
}

/** Most records have none, and nothing is said of them. */
function identitiesInWords(batch: FlowBatch, record: FlowRecord, applications: readonly Application[]): string[] {
  const { sponsorIdentity, applicationServiceProviderIdentity } = record;
  if (sponsorIdentity === null && applicationServiceProviderIdentity === null) return [];
  const claims = [
    {
      what: 'the ASP identity',
      own: claimsOf(applications, 'aspIdentities', (text) => text === applicationServiceProviderIdentity),
    },
    {
      what: 'the sponsor identity',
      own: claimsOf(applications, 'sponsorIdentities', (text) => text === sponsorIdentity),
    },
  ].filter(({ own }) => own.length > 0);
  const inForce = claims.flatMap(({ own }) => own.filter(({ claimed }) => isInForce(claimed, record.startTime)));
  const others = claims
    .filter(({ own }) => !own.some((claim) => inForce.includes(claim)))
    .map(({ what, own }) => notInForce(what, own, record));
  const [decided] = inForce;
  if (decided === undefined) return others.length > 0 ? others : ['identities that no application claims'];
  const sponsors = new Set(
    inForce.map(({ applicationId }) => applications.find(({ id }) => id === applicationId)?.sponsor),
  );
  if (sponsors.size > 1) return ['identities of two sponsors', ...others];
  const differs =
    batch.cdrApplication[0] === CONFLICTING_IDENTITIES ? ', which the rating group or service identifier is not' : '';
  return [`the identities of ${decided.applicationId}${spanOf(decided)}${differs}`, ...others];
}

/** Nothing is said of a rating group or a service identifier that no application claims: most traffic has one. */
function servicesInWords(record: FlowRecord, applications: readonly Application[]): string[] {
  const { ratingGroup, serviceIdentifier, startTime } = record;
  const fits = (asked: number, has: number | null) => asked === NO_NUMBER || asked === has;
  const claims = applications
    .flatMap(({ id, services }) => services.map((claim) => ({ applicationId: id, claim })))
    .filter(({ claim }) => fits(claim.ratingGroup, ratingGroup) && fits(claim.serviceIdentifier, serviceIdentifier))
    .sort((a, b) => specificity(b.claim) - specificity(a.claim));
  const words: string[] = [];
  for (const { applicationId, claim } of claims) {
    const isAlways = !Number.isFinite(claim.fromMs) && !Number.isFinite(claim.toMs);
    const dates = isAlways ? '' : `in force ${datesOf(claim)}`;
    if (isInForce(claim, startTime)) {
      return [...words, `${serviceInWords(claim)} of ${applicationId}${isAlways ? '' : ` (${dates})`}`];
    }
    words.push(`${serviceInWords(claim)} is not in force at the record’s start: ${datesOf(claim)} of ${applicationId}`);
  }
  return words;
}

/** A pair is above a service identifier, and that above a rating group. */
function specificity({ ratingGroup, serviceIdentifier }: ServiceClaim): number {
  return (serviceIdentifier === NO_NUMBER ? 0 : 2) + (ratingGroup === NO_NUMBER ? 0 : 1);
}

/** What the gateway detected, and whose it is. */
function detectionInWords(
  { detectedApplication, detectedBy, startTime }: FlowRecord,
  applications: readonly Application[],
): string[] {
  if (detectedApplication === null) return [];
  const what = `the gateway detected ${JSON.stringify(detectedApplication)}${detectedBy === null ? '' : ` by ${detectedBy}`}`;
  const claims = applications.flatMap(({ id, detections }) =>
    detections.filter(({ name }) => name === detectedApplication).map((claim) => ({ applicationId: id, claim })),
  );
  if (claims.length === 0) return [`${what}, which no application claims`];
  const ofThisWay = claims.filter(({ claim }) => takesDetection(claim, detectedBy));
  if (ofThisWay.length === 0) return [`${what}, which ${claims[0].applicationId} does not take so`];
  const decided = ofThisWay.find(({ claim }) => isInForce(claim, startTime));
  if (decided !== undefined) return [`${what}, of ${decided.applicationId}`];
  const spans = ofThisWay.map(({ applicationId, claim }) => `${datesOf(claim)} of ${applicationId}`);
  return [`${what}, which is not in force at the record’s start: ${spans.join(', ')}`];
}

/** By a plain scan for the prefix that the engine's table found, as one record may take its time. */
function prefixesInWords(batch: FlowBatch, record: FlowRecord, applications: readonly Application[]): string[] {
  const networks = new Map<number, ApplicationClaim[]>();
  for (const claim of claimsOf(applications, 'prefixes', (cidr) => holds(cidr, batch.remoteAddress))) {
    const length = parseCidr(claimText(claim.claimed))?.length ?? 0;
    networks.set(length, [...(networks.get(length) ?? []), claim]);
  }
  const words: string[] = [];
  for (const [, claims] of [...networks].sort(([a], [b]) => b - a)) {
    const decided = claims.find(({ claimed }) => holdsFor(claimed, record));
    const network = claimText(claims[0].claimed);
    if (decided !== undefined) {
      return [...words, `${network} of ${decided.applicationId}${conditionsInWords(decided)} holds the remote address`];
    }
    words.push(...notForRecord(network, claims, record));
  }
  return [...words, `no prefix ${words.length > 0 ? 'in force ' : ''}holds the remote address`];
}

/** Of claims of one prefix that do not hold for a record: those in force are for other protocols or ports. */
function notForRecord(network: string, claims: readonly ApplicationClaim[], record: FlowRecord): string[] {
  const inForce = claims.filter(({ claimed }) => isInForce(claimed, record.startTime));
  if (inForce.length === 0) return [notInForce(network, claims, record)];
  const others = inForce.map(({ applicationId, claimed }) => {
    const flow = conditionsOf(claimed)?.flow;
    return `${flow === undefined ? 'any' : flowInWords(flow)} of ${applicationId}`;
  });
  const own = `${protocolInWords(record.protocol)}, remote port ${record.remotePort}`;
  return [`${network} is for ${others.join(', ')}, and the record is ${own}`];
}

interface ApplicationClaim {
  applicationId: string;
  claimed: Claimed;
}

/** Returns the claims of a list that name the record's evidence. */
function claimsOf(
  applications: readonly Application[],
  list: 'tags' | 'prefixes' | 'aspIdentities' | 'sponsorIdentities',
  isNamed: (text: string) => boolean,
): ApplicationClaim[] {
  return applications.flatMap(({ id, [list]: own }) =>
    own.filter((claimed) => isNamed(claimText(claimed))).map((claimed) => ({ applicationId: id, claimed })),
  );
}

/** Of claims that do not hold at a record's start, the last before it and the first after it. */
function notInForce(what: string, claims: readonly ApplicationClaim[], { startTime }: FlowRecord): string {
  const dated = claims.flatMap(({ applicationId, claimed }) =>
    typeof claimed === 'string' ? [] : { applicationId, claimed },
  );
  const before = dated
    .filter(({ claimed }) => claimed.toMs <= startTime)
    .sort((a, b) => b.claimed.toMs - a.claimed.toMs);
  const after = dated
    .filter(({ claimed }) => claimed.fromMs > startTime)
    .sort((a, b) => a.claimed.fromMs - b.claimed.fromMs);
  const spans = [...before.slice(0, 1), ...after.slice(0, 1)].map(
    ({ applicationId, claimed }) => `${datesOf(claimed)} of ${applicationId}`,
  );
  return `${what} is not in force at the record’s start: ${spans.join(', ')}`;
}

/** Nothing is said of a claim that is in force always. */
function spanOf({ claimed }: ApplicationClaim): string {
  return typeof claimed === 'string' ? '' : ` (in force ${datesOf(claimed)})`;
}

/** The same, and a prefix's protocol and ports. */
function conditionsInWords(claim: ApplicationClaim): string {
  const conditions = conditionsOf(claim.claimed);
  const flow = conditions?.flow === undefined ? '' : ` (${flowInWords(conditions.flow)})`;
  const isDated = conditions !== undefined && (Number.isFinite(conditions.fromMs) || Number.isFinite(conditions.toMs));
  return isDated ? `${flow}${spanOf(claim)}` : flow;
}

function datesOf({ fromMs, toMs }: Span): string {
  const [from, to] = [fromMs, toMs].map((timeMs) =>
    Number.isFinite(timeMs) ? new Date(timeMs).toISOString().replace('.000Z', 'Z') : null,
  );
  if (from === null) return `to ${to}`;
  return to === null ? `from ${from} on` : `from ${from} to ${to}`;
}

function application(batch: FlowBatch, catalogue: Catalogue): Explanation[] {
  const application = catalogue.applications[batch.application[0]];
  if (application === undefined) return [];
  const { id, sponsor, match } = application;
  return [{ step: 'application', text: `${id} of sponsor ${catalogue.sponsors[sponsor].id}, match policy ${match}` }];
}

/** Why a campaign is not in force for the record; null for any other plan. */
function campaignRefusal(at: number, batch: FlowBatch, rules: Rules, subscribers: Lane['subscribers']): Reason | null {
  const { campaign, period, timeZone, shareBasisPoints } = rules.catalogue.plans[at];
  if (rules.campaigns === null || campaign === undefined) return null;
  const [startTimeMs] = batch.startTimeMs;
  const closed = rules.campaigns.closed(at, periodStartDay(startTimeMs, period, timeZone), startTimeMs);
  if (closed !== null) return closed;
  if (shareBasisPoints[batch.contentType[0]] < 0) return 'content_not_covered';
  return rules.campaigns.excludes(at, batch, 0, subscribers) ? 'not_in_audience' : null;
}

function campaign(batch: FlowBatch, rules: Rules, subscribers: Lane['subscribers']): Explanation[] {
  const { plans, applications, sponsors } = rules.catalogue;
  const plan = plans[batch.plan[0]];
  if (plan?.campaign === undefined) return [];
  const { campaign, application } = plan;
  const { currency } = sponsors[applications[application].sponsor];
  const caps = campaign.caps.map(
    ({ per, unit, limit }) =>
      `${unit === 'money' ? formatMicros(limit, currency) : `${limit} octets`} ${per === 'whole' ? 'in the whole campaign' : `per ${per}`}`,
  );
  const isExcluded = rules.campaigns?.excludes(batch.plan[0], batch, 0, subscribers);
  const audience =
    campaign.audience === 'everyone'
      ? 'for everyone'
      : `for subscribers who opted in: this one has ${isExcluded ? 'not' : 'opted in'}`;
  const texts = [campaign.payment, audience, caps.length === 0 ? 'no caps' : `caps: ${caps.join(', ')}`];
  return [{ step: 'campaign', text: `${texts.join('; ')}; facts up to number ${rules.campaigns?.number}` }];
}

function rating(batch: FlowBatch, catalogue: Catalogue, before: CounterBefore): Explanation[] {
  const plan = catalogue.plans[batch.plan[0]];
  const { currency } = catalogue.sponsors[catalogue.applications[plan.application].sponsor];
  const sponsored = batch.sponsoredOctets[0];
  const share = plan.shareBasisPoints[batch.contentType[0]];
  const periodStart = dayInWords(batch.periodStart[0]);
  const quota = plan.quotaOctets === Number.POSITIVE_INFINITY ? 'no quota' : `a quota of ${plan.quotaOctets}`;
  return [
    {
      step: 'content',
      text: `${CONTENT_TYPES[batch.contentType[0]]}: ${share / 100} % is sponsored, carry ${before.carry}`,
    },
    {
      step: 'quota',
      text: `${quota}; ${before.usedOctets} octets used since ${periodStart}, ${batch.usedOctetsAfter[0]} after this record`,
    },
    {
      step: 'price',
      text: `${sponsored} octets sponsored for ${formatMicros(batch.chargeMicros[0])} ${currency}; ${batch.octets(0) - sponsored} are the subscriber’s`,
    },
  ];
}

function outcome(batch: FlowBatch): Explanation {
  return { step: 'outcome', text: outcomeInWords(batch.reason[0]) };
}

function holds(cidr: string, address: Uint32Array): boolean {
  const prefix = parseCidr(cidr);
  if (prefix === null) return false;
  for (let word = 0, rest = prefix.length; rest > 0; word++, rest -= 32) {
    const mask = rest >= 32 ? 0xffffffff : ~(0xffffffff >>> rest);
    if (((prefix.words[word] ^ address[word]) & mask) !== 0) return false;
  }
  return true;
}
