import { ConfigError } from '../platform/config/config-error.ts';
import { changeList, latestList } from './dated-prefixes.ts';
import type { Feed } from './evidence-config-schema.ts';
import type { FeedFiles, LoggedChange } from './feed-files.ts';
import type { GuardRefusal } from './feed-guards.ts';
import { checkPending, type FeedContext } from './fetch-feed.ts';
import { compareLists, type ListDifference, type ListSize } from './list-difference.ts';
import { type FeedPart, partText, timeText } from './part-text.ts';
import { hashOf, isSamePerson, type PendingList } from './pending-list.ts';

/** Who approves a pending list, and from when on it is to be in force; absent: from now on. */
export interface Approval {
  by: string;
  fromMs?: number | undefined;
}

export interface ApprovalContext extends FeedContext {
  /** Approvals that a list needs. */
  needed: number;
  /** Throws a ConfigError where the catalogue would have faults if it named the feed's part, and that had this text. */
  checkCatalogue: (feed: Feed, text: string) => void;
}

/** What an approval adds to those that a list has: `repeated`, nothing; `changed`, another time for one that this person gave before. */
type AddedApproval = 'new' | 'repeated' | 'changed';

interface InForce {
  kind: 'in_force';
  change: LoggedChange;
  difference: ListDifference;
}
interface Refused {
  kind: 'refused';
  refusals: readonly GuardRefusal[];
}

export type ApprovalOutcome =
  /** No list waits; the last change of the feed, if there was one. */
  | { kind: 'nothing'; last: LoggedChange | null }
  /** It waits for other people's approvals. */
  | { kind: 'waiting'; pending: PendingList; added: AddedApproval }
  | Refused
  | InForce;

const SECOND_MS = 1000;

/**
 * Adds an approval to a feed's pending list. The one that completes them makes it the list in force, from the latest instant that an
 * approval names on, which is not in the past: what was in force before stays. Rejects with a ConfigError.
 */
export async function approveFeed(feed: Feed, approval: Approval, context: ApprovalContext): Promise<ApprovalOutcome> {
  const { files, needed, nowMs } = context;
  if (approval.fromMs !== undefined && approval.fromMs < nowMs()) {
    const from = new Date(approval.fromMs).toISOString();
    throw new ConfigError(`--from ${from} is in the past: name a later time, or leave it out`);
  }
  await files.readPartOf(feed);
  const pending = await files.readPending(feed.id);
  if (pending === null || (await finishWritten(feed, pending, files)) !== null) {
    return { kind: 'nothing', last: await lastChange(files, feed.id) };
  }
  const { approvals, added } = withApproval(pending.approvals, approval, nowMs());
  const approved = { ...pending, approvals };
  if (approvals.length >= needed) return putInForce(feed, approved, context);
  const checked = await checkChange(feed, approved, context);
  if (checked.kind === 'refused') return checked;
  if (added !== 'repeated') await files.writePending(approved);
  return { kind: 'waiting', pending: approved, added };
}

/** Completes the approval of a feed's list that was interrupted, as if its last approval was given now; null where none was. */
export async function resumeApproval(feed: Feed, context: ApprovalContext): Promise<InForce | Refused | null> {
  const { files } = context;
  const pending = await files.readPending(feed.id);
  if (pending === null || !isInterrupted(pending, context.needed)) return null;
  return (await finishWritten(feed, pending, files)) ?? putInForce(feed, pending, context);
}

/** Whether all approvals that a list needs were given, and it was not put in force. */
export function isInterrupted({ decidedAt, approvals }: PendingList, needed: number): boolean {
  return decidedAt !== undefined && approvals.length >= needed;
}

/** Resolves with the last change of a feed; null where there was none. */
export async function lastChange(files: FeedFiles, feed: string): Promise<LoggedChange | null> {
  return (await files.readLog()).findLast((change) => change.feed === feed) ?? null;
}

/** One person's approvals are one, which is in force from the time that was named last. */
function withApproval(
  approvals: PendingList['approvals'],
  { by, fromMs }: Approval,
  nowMs: number,
): { approvals: PendingList['approvals']; added: AddedApproval } {
  const before = approvals.find((each) => isSamePerson(each.by, by));
  const from = fromMs === undefined ? before?.from : timeText(fromMs);
  if (before !== undefined && from === before.from) return { approvals, added: 'repeated' };
  const others = approvals.filter((each) => each !== before);
  return {
    approvals: [...others, { by: before?.by ?? by, at: timeText(nowMs), from }],
    added: before === undefined ? 'new' : 'changed',
  };
}

interface CheckedChange extends Omit<InForce, 'kind'> {
  kind: 'good';
  part: FeedPart;
}

/** Returns what a list would change if the approvals that it has were all, from now on or from when they say; or what refuses it. */
async function checkChange(
  feed: Feed,
  pending: PendingList,
  context: ApprovalContext,
): Promise<CheckedChange | Refused> {
  const { files, nowMs } = context;
  await requireSameBase(feed, pending, files);
  const fromMs = effectiveFromMs(pending, nowMs());
  const { refusals, difference } = await checkPending(feed, pending, fromMs, context);
  if (refusals.length > 0) return { kind: 'refused', refusals };
  const part = await nextPart(feed, pending, fromMs, files);
  const text = partText(part);
  context.checkCatalogue(feed, text);
  return { kind: 'good', part, difference, change: changeOf(pending, fromMs, difference, hashOf(text)) };
}

/**
 * Makes a list whose approvals are complete the one in force, if nothing refuses it by now. The log first, so that no change is in force
 * that it does not name; then the part, in one step; last the pending list. Whatever of this was done before is not done again.
 */
async function putInForce(feed: Feed, pending: PendingList, context: ApprovalContext): Promise<InForce | Refused> {
  const { files, nowMs } = context;
  const checked = await checkChange(feed, pending, context);
  if (checked.kind === 'refused') return checked;
  const { part, change, difference } = checked;
  await files.writePending({ ...pending, decidedAt: pending.decidedAt ?? timeText(nowMs()) });
  const last = await lastChange(files, feed.id);
  if (last === null || !isSameChange(last, change)) await files.appendLog(change);
  await files.writePart(feed.id, part);
  await files.removePending(feed.id);
  return { kind: 'in_force', change, difference };
}

/** Removes a pending list that is in the part already, as the log says; resolves with null for any other. */
async function finishWritten(feed: Feed, pending: PendingList, files: FeedFiles): Promise<InForce | null> {
  if (pending.decidedAt === undefined) return null;
  const [part, change] = [await files.readPartOf(feed), await lastChange(files, feed.id)];
  if (part === null || change === null || part.sha256 !== change.partSha256) return null;
  const again = await nextPart(feed, pending, Date.parse(change.effectiveFrom), files);
  if (hashOf(partText(again)) !== part.sha256) return null;
  await files.removePending(feed.id);
  return { kind: 'in_force', change, difference: compareLists(latestList(part.value.prefixes), pending.prefixes) };
}

async function nextPart(feed: Feed, pending: PendingList, fromMs: number, files: FeedFiles): Promise<FeedPart> {
  const { application, fetchedAt, source, sourceSha256, createdAt } = pending;
  const before = (await files.readPartOf(feed))?.value.prefixes ?? [];
  const prefixes = changeList(before, pending.prefixes, fromMs);
  return { application, feed: feed.id, fetchedAt, source, sourceSha256, createdAt, prefixes };
}

function changeOf(pending: PendingList, fromMs: number, difference: ListDifference, partSha256: string): LoggedChange {
  const { prefixes, notes, decidedAt, partSha256: partBeforeSha256, ...list } = pending;
  return {
    ...list,
    effectiveFrom: timeText(fromMs),
    added: [...difference.added],
    removed: [...difference.removed],
    before: loggedSize(difference.before),
    after: loggedSize(difference.after),
    partBeforeSha256,
    partSha256,
  };
}

function loggedSize({ prefixes, IPv4, IPv6 }: ListSize): LoggedChange['before'] {
  return { prefixes, ipv4Addresses: String(IPv4.addresses), ipv6Addresses: String(IPv6.addresses) };
}

function isSameChange(a: LoggedChange, b: LoggedChange): boolean {
  const [left, right] = [a, b].map(({ partBeforeSha256, partSha256, approvals }) =>
    JSON.stringify([partBeforeSha256, partSha256, approvals]),
  );
  return left === right;
}

/** In whole seconds, none of which has begun. */
function effectiveFromMs({ approvals }: PendingList, nowMs: number): number {
  const wanted = approvals.flatMap(({ from }) => (from === undefined ? [] : [Date.parse(from)]));
  return Math.ceil(Math.max(nowMs, ...wanted) / SECOND_MS) * SECOND_MS;
}

async function requireSameBase(feed: Feed, pending: PendingList, files: FeedFiles): Promise<void> {
  const part = await files.readPartOf(feed);
  if (pending.application !== feed.application) {
    throw new ConfigError(
      `${files.pendingPath(feed.id)}: was fetched for application ${pending.application}, and feed ${feed.id} is of ${feed.application} now: fetch again`,
    );
  }
  if ((part?.sha256 ?? null) !== pending.partSha256) {
    throw new ConfigError(
      `${files.partPath(feed.id)}: has changed since the list was fetched and compared with it: remove ${files.pendingPath(feed.id)} and fetch again`,
    );
  }
}
