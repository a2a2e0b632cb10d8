import { createHash } from 'node:crypto';
import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { type Audience, AudienceChangeList } from '../../rating/campaigns/audience.ts';
import { type CampaignState, UNTOUCHED } from '../../rating/campaigns/campaigns.ts';
import { bookCampaignFact, type CampaignFact } from './campaign-fact.ts';
import { AUDIENCE_KEYS, CAMPAIGN_WATCHER, CAMPAIGN_WATCHER_KEYS } from './campaign-rules.ts';

type FactClock = Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;

/** A pause or resumption that was requested. */
export type PauseRequest = Pick<CampaignFact, 'campaignId' | 'idempotencyKey' | 'who' | 'why'> & {
  kind: 'pause' | 'resume';
};

/** Outcome of a request. `existing`: it was booked before, under this number. */
export type PauseOutcome = { outcome: 'booked' | 'existing'; number: number } | { outcome: 'refused'; message: string };

const MAX_TEXT_LENGTH = 1000;

/** Returns what is wrong with the texts of a request; null when nothing is. */
export function textFault(texts: Readonly<Partial<Record<'key' | 'who' | 'why', string>>>): string | null {
  for (const [name, text] of Object.entries(texts)) {
    if (text.trim() === '') return `${name}: expected a text that is not empty`;
    if (/[\p{Cc}\p{Cs}]/u.test(text)) return `${name}: expected one line of text`;
    if (text.length > MAX_TEXT_LENGTH) return `${name}: expected at most ${MAX_TEXT_LENGTH} letters`;
  }
  if (texts.who === CAMPAIGN_WATCHER) return `who: "${CAMPAIGN_WATCHER}" is the engine's own; name a person`;
  const reserved = [CAMPAIGN_WATCHER_KEYS, AUDIENCE_KEYS].find((prefix) => texts.key?.startsWith(prefix));
  return reserved === undefined
    ? null
    : `key: those that begin with "${reserved}" are booked automatically; take another`;
}

/**
 * Pauses or resumes a campaign, once for each idempotency key. A fenced writer reads the current facts and tries again. Rejects with
 * a StoreError.
 */
export async function bookPause(store: Store, request: PauseRequest, clock: FactClock): Promise<PauseOutcome> {
  const reader = new CampaignFactReader(store);
  for (;;) {
    // The number is read first: a fact that is booked after that fences this writer.
    const { states, number } = await reader.now();
    const existing = await factOfKey(store, request.idempotencyKey);
    if (existing !== null) return outcomeOf(request, existing);
    const isPaused = states.get(request.campaignId)?.isPaused === true;
    if (isPaused === (request.kind === 'pause')) {
      const state = isPaused ? 'paused already' : 'not paused';
      return { outcome: 'refused', message: `campaign ${request.campaignId} is ${state}; nothing to do` };
    }
    if ((await bookCampaignFact(store, request, number + 1, clock)) === 'booked') {
      return { outcome: 'booked', number: number + 1 };
    }
  }
}

type StoredFact = { number: number; kind: string; campaignId: string; who: string; why: string };

async function factOfKey(store: Store, idempotencyKey: string): Promise<StoredFact | null> {
  const rows = await store.query<StoredFact>(
    'SELECT number, kind, campaign_id AS campaignId, who, why FROM campaign_facts ' +
      `WHERE idempotency_key = ${literal(idempotencyKey)} LIMIT 1`,
  );
  return rows[0] ?? null;
}

function outcomeOf(request: PauseRequest, existing: StoredFact): PauseOutcome {
  const isSame = (['kind', 'campaignId', 'who', 'why'] as const).every((field) => request[field] === existing[field]);
  if (isSame) return { outcome: 'existing', number: Number(existing.number) };
  const { number, kind, campaignId, who } = existing;
  const message =
    `key "${request.idempotencyKey}" is used by fact ${number}, ${kind} of ${campaignId}, booked by ${who}; ` +
    'use another key for another fact';
  return { outcome: 'refused', message };
}

/** What a list of subscribers is for: they opt in, they opt out, or they are the audience from now on. */
export type AudienceChange = 'opt-in' | 'opt-out' | 'replace';

/** How many subscribers a change opts in and out, and how many the audience has after it. */
export interface AudienceDifference {
  optedIn: number;
  optedOut: number;
  size: number;
}

export interface AudienceRequest {
  campaignId: string;
  change: AudienceChange;
  /** The subscribers of the list. */
  listed: Audience;
  who: string;
  why: string;
  dryRun: boolean;
}

/** Rows of one fact at most: a longer list is booked as several, one after the other. */
const FACT_SUBSCRIBERS = 500_000;

/**
 * Books what a list changes of a campaign's audience, and nothing where it changes nothing: the same list again books no fact.
 * Rejects with a StoreError.
 */
export async function changeAudience(
  store: Store,
  request: AudienceRequest,
  clock: FactClock,
): Promise<AudienceDifference> {
  const { campaignId, change, listed, who, why, dryRun } = request;
  const reader = new CampaignFactReader(store);
  const done = { optedIn: 0, optedOut: 0 };
  for (;;) {
    const { states, number } = await reader.now();
    const { audience }: CampaignState = states.get(campaignId) ?? UNTOUCHED;
    const changes = audienceDifference(audience, listed, change, dryRun ? Number.POSITIVE_INFINITY : FACT_SUBSCRIBERS);
    const optedIn = changes.optedIn.subarray(0, changes.count).reduce((sum, each) => sum + each, 0);
    const count = () => {
      done.optedIn += optedIn;
      done.optedOut += changes.count - optedIn;
    };
    if (dryRun) count();
    if (dryRun || changes.count === 0) return { ...done, size: audience.with(changes).size };
    const idempotencyKey = AUDIENCE_KEYS + digestOf(campaignId, number, changes);
    const fact: CampaignFact = { kind: 'audience', campaignId, idempotencyKey, who, why, subscribers: changes };
    if ((await bookCampaignFact(store, fact, number + 1, clock)) === 'booked') count();
  }
}

/** Returns what a list changes of an audience, `most` subscribers of it; those who leave come first. */
function audienceDifference(
  current: Audience,
  listed: Audience,
  change: AudienceChange,
  most: number,
): AudienceChangeList {
  const changes = new AudienceChangeList();
  const collect = (from: Audience, isChanged: (words: Uint32Array, at: number) => boolean, optedIn: boolean) => {
    for (const { words, at } of from.pseudonyms()) {
      if (changes.count >= most) return;
      if (isChanged(words, at)) changes.add(words, at, optedIn);
    }
  };
  if (change === 'opt-out') collect(listed, (words, at) => current.has(words, at), false);
  if (change === 'replace') collect(current, (words, at) => !listed.has(words, at), false);
  if (change !== 'opt-out') collect(listed, (words, at) => !current.has(words, at), true);
  return changes;
}

function digestOf(campaignId: string, number: number, { pseudonyms, optedIn, count }: AudienceChangeList): string {
  const hash = createHash('sha256').update(`${campaignId} ${number}\n`);
  return hash
    .update(pseudonyms.subarray(0, count * 4))
    .update(optedIn.subarray(0, count))
    .digest('hex')
    .slice(0, 32);
}
