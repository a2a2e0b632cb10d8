import type { Catalogue } from './catalogue.ts';
import {
  CONFLICTING_IDENTITIES,
  CONTENT_TYPES,
  type Decoder,
  EVIDENCES,
  FlowBatch,
  NO_IDENTITY,
  NO_TAG,
  PLAIN_RULES,
  UNDECIDED,
  UNKNOWN_IDENTITY,
} from './flow-record.ts';
import { type IngestContext, incoming } from './incoming.ts';
import { parseCidr } from './ip-address.ts';
import { Lane } from './lane.ts';
import { formatMicros } from './money.ts';
import { outcomeInWords } from './outcome.ts';
import { admit, classifyBatch, rateBatch } from './pipeline.ts';
import type { Rules } from './rules.ts';
import type { PseudonymKey } from './subscribers.ts';

/** One step of a record's way, in words. */
export interface Explanation {
  step: 'decode' | 'evidence' | 'application' | 'plan' | 'closing' | 'content' | 'quota' | 'price' | 'outcome';
  text: string;
}

/** The counter that an explanation starts from: what the journal has, or zeros. */
interface CounterBefore {
  usedOctets: number;
  carry: number;
}

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
  if (batch.reason[0] !== UNDECIDED) return [{ step: 'decode', text: batch.rejections[0].detail }, outcome(batch)];
  const subscriber = Buffer.from(lane.subscribers.pseudonym(0)).toString('hex');
  const octets = `${batch.uplinkOctets[0]} octets up, ${batch.downlinkOctets[0]} down`;
  const steps: Explanation[] = [{ step: 'decode', text: `a flow record of subscriber ${subscriber}: ${octets}` }];

  classifyBatch(batch, lane, rules);
  steps.push(evidenceOf(batch, rules), ...application(batch, rules.catalogue));
  if (batch.plan[0] >= 0) steps.push(plan(batch, rules.catalogue));
  for (const { detail } of batch.rejections) steps.push({ step: 'closing', text: detail });
  if (batch.reason[0] !== UNDECIDED) return [...steps, outcome(batch)];

  const { id } = rules.catalogue.plans[batch.plan[0]];
  const before = await counterOf(subscriber, id, batch.periodStart[0]);
  const counter = lane.counters.open(0, lane.planPeriods.numberOf(id, batch.periodStart[0]));
  lane.counters.set(counter, before.usedOctets, before.carry);
  rateBatch(batch, lane, rules);
  return [...steps, ...rating(batch, rules.catalogue, before), outcome(batch)];
}

function evidenceOf(batch: FlowBatch, { catalogue, evidence }: Rules): Explanation {
  const owner = catalogue.applications[evidence.applicationOfTag(batch, 0)];
  const isUntagged = batch.tag[0] === NO_TAG;
  const byTag = isUntagged
    ? 'no tag'
    : owner === undefined
      ? 'a tag that no application claims'
      : `the tag of ${owner.id}`;
  const prefix = longestPrefix(batch.remoteAddress, catalogue);
  const byIp =
    prefix === null
      ? 'no prefix holds the remote address'
      : `${prefix.cidr} of ${prefix.applicationId} holds the remote address`;
  const found = [byTag, ...identities(batch.cdrApplication[0], catalogue), byIp];
  return { step: 'evidence', text: `${found.join('; ')}; evidence: ${EVIDENCES[batch.evidence[0]]}` };
}

/** Most records have none, and nothing is said of them. */
function identities(application: number, { applications }: Catalogue): string[] {
  if (application === NO_IDENTITY) return [];
  if (application === UNKNOWN_IDENTITY) return ['identities that no application claims'];
  if (application === CONFLICTING_IDENTITIES) return ['identities of two sponsors'];
  return [`the identities of ${applications[application].id}`];
}

function application(batch: FlowBatch, catalogue: Catalogue): Explanation[] {
  const application = catalogue.applications[batch.application[0]];
  if (application === undefined) return [];
  const { id, sponsor, match } = application;
  return [{ step: 'application', text: `${id} of sponsor ${catalogue.sponsors[sponsor].id}, match policy ${match}` }];
}

function plan(batch: FlowBatch, catalogue: Catalogue): Explanation {
  const { id, version, period, timeZone } = catalogue.plans[batch.plan[0]];
  return { step: 'plan', text: `${id} version ${version}: a ${period} in ${timeZone}` };
}

function rating(batch: FlowBatch, catalogue: Catalogue, before: CounterBefore): Explanation[] {
  const plan = catalogue.plans[batch.plan[0]];
  const { currency } = catalogue.sponsors[catalogue.applications[plan.application].sponsor];
  const sponsored = batch.sponsoredOctets[0];
  const share = plan.shareBasisPoints[batch.contentType[0]];
  const periodStart = new Date(batch.periodStart[0] * 86_400_000).toISOString().slice(0, 10);
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

/** The text of the prefix that the engine's table found: a plain scan, as one record may take its time. */
function longestPrefix(address: Uint32Array, catalogue: Catalogue): { cidr: string; applicationId: string } | null {
  let best: { cidr: string; applicationId: string; length: number } | null = null;
  for (const { id, prefixes } of catalogue.applications) {
    for (const cidr of prefixes) {
      const parsed = parseCidr(cidr);
      if (parsed === null || !holds(parsed, address) || (best !== null && best.length >= parsed.length)) continue;
      best = { cidr, applicationId: id, length: parsed.length };
    }
  }
  return best;
}

function holds(prefix: { words: Uint32Array; length: number }, address: Uint32Array): boolean {
  for (let word = 0, rest = prefix.length; rest > 0; word++, rest -= 32) {
    const mask = rest >= 32 ? 0xffffffff : ~(0xffffffff >>> rest);
    if (((prefix.words[word] ^ address[word]) & mask) !== 0) return false;
  }
  return true;
}
