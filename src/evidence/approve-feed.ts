import { ConfigError } from '../platform/config/config-error.ts';
import { changeList, latestList } from './dated-prefixes.ts';
import type { Feed } from './evidence-config-schema.ts';
import { type FeedFiles, hashOf, type LoggedChange, type PendingList } from './feed-files.ts';
import type { GuardRefusal } from './feed-guards.ts';
import { checkPending, type FeedContext } from './fetch-feed.ts';
import { compareLists, type ListDifference, type ListSize } from './list-difference.ts';
import { type FeedPart, partText, timeText } from './part-text.ts';

/** Who approves a pending list, and from when on it is to be in force; absent: from now on. */
export interface Approval {
  by: string;
  fromMs?: number | undefined;
}

export interface ApprovalContext extends FeedContext {
  /** Approvals that a list needs. */
  needed: number;
  /** Throws a ConfigError where the catalogue would have faults if a part had this text. */
  checkCatalogue: (partPath: string, text: string) => void;
}

export type ApprovalOutcome =
  /** No list waits; the last change of the feed, if there was one. */
  | { kind: 'nothing'; last: LoggedChange | null }
  /** It waits for other people's approvals. `isRepeated`: this person had approved it before, which counts once. */
  | { kind: 'waiting'; pending: PendingList; isRepeated: boolean }
  | { kind: 'refused'; refusals: readonly GuardRefusal[] }
  | { kind: 'in_force'; change: LoggedChange; difference: ListDifference };

const SECOND_MS = 1000;

/**
 * Adds an approval to a feed's pending list. The one that completes them makes it the list in force, from the latest instant that an
 * approval names on, which is not in the past: what was in force before stays. An approval that was interrupted is completed first.
 * Rejects with a ConfigError.
 */
export async function approveFeed(feed: Feed, approval: Approval, context: ApprovalContext): Promise<ApprovalOutcome> {
  const { files, needed, nowMs } = context;
  if (approval.fromMs !== undefined && approval.fromMs < nowMs()) {
    const from = new Date(approval.fromMs).toISOString();
    throw new ConfigError(`--from ${from} is in the past: name a later time, or leave it out`);
  }
  const pending = await files.readPending(feed.id);
  if (pending === null) return { kind: 'nothing', last: await lastChange(files, feed.id) };
  if (pending.effectiveFrom !== undefined) return putInForce(pending, files);
  await requireSameBase(feed, pending, files);
  const { refusals } = await checkPending(feed, pending, context);
  if (refusals.length > 0) return { kind: 'refused', refusals };

  const isRepeated = pending.approvals.some(({ by }) => isSameName(by, approval.by));
  const at = timeText(nowMs());
  const from = approval.fromMs === undefined ? undefined : timeText(approval.fromMs);
  const approved = isRepeated
    ? pending
    : { ...pending, approvals: [...pending.approvals, { by: approval.by, at, from }] };
  if (approved.approvals.length < needed) {
    if (!isRepeated) await files.writePending(approved);
    return { kind: 'waiting', pending: approved, isRepeated };
  }
  const decided = { ...approved, effectiveFrom: timeText(effectiveFromMs(approved, nowMs())) };
  const part = await nextPart(decided, files);
  context.checkCatalogue(files.partPath(feed.id), partText(part));
  await files.writePending(decided);
  return putInForce(decided, files);
}

/** Completes the approval of a feed's list that was interrupted; null where none was. */
export async function resumeApproval(feed: string, files: FeedFiles): Promise<ApprovalOutcome | null> {
  const pending = await files.readPending(feed);
  return pending?.effectiveFrom === undefined ? null : putInForce(pending, files);
}

/** Resolves with the last change of a feed; null where there was none. */
export async function lastChange(files: FeedFiles, feed: string): Promise<LoggedChange | null> {
  return (await files.readLog()).findLast((change) => change.feed === feed) ?? null;
}

/**
 * The log first, so that no change is in force that it does not name; then the part, in one step; last the pending list. Whatever
 * of this was done before is not done again.
 */
async function putInForce(pending: PendingList, files: FeedFiles): Promise<ApprovalOutcome> {
  const { feed } = pending;
  const before = await files.readPart(feed);
  const part = await nextPart(pending, files);
  const difference = compareLists(before === null ? [] : latestList(before.value.prefixes), pending.prefixes);
  const last = await lastChange(files, feed);
  const partSha256 = hashOf(partText(part));
  const isLogged = last?.partSha256 === partSha256;
  if (!isLogged && (before?.sha256 ?? null) !== pending.partSha256) throw changedByHand(feed, files);
  const change = isLogged ? last : changeOf(pending, difference, partSha256);
  if (!isLogged) await files.appendLog(change);
  await files.writePart(feed, part);
  await files.removePending(feed);
  return { kind: 'in_force', change, difference };
}

async function nextPart(pending: PendingList, files: FeedFiles): Promise<FeedPart> {
  const { feed, application, fetchedAt, source, sourceSha256, createdAt, prefixes, effectiveFrom = '' } = pending;
  const before = (await files.readPart(feed))?.value.prefixes ?? [];
  const changed = changeList(before, prefixes, Date.parse(effectiveFrom));
  return { application, feed, fetchedAt, source, sourceSha256, createdAt, prefixes: changed };
}

function changeOf(pending: PendingList, difference: ListDifference, partSha256: string): LoggedChange {
  const { prefixes, notes, partSha256: _, effectiveFrom = '', ...list } = pending;
  return {
    ...list,
    effectiveFrom,
    added: [...difference.added],
    removed: [...difference.removed],
    before: loggedSize(difference.before),
    after: loggedSize(difference.after),
    partSha256,
  };
}

function loggedSize({ prefixes, IPv4, IPv6 }: ListSize): LoggedChange['before'] {
  return { prefixes, ipv4Addresses: String(IPv4.addresses), ipv6Addresses: String(IPv6.addresses) };
}

/** In whole seconds, none of which has begun. */
function effectiveFromMs({ approvals }: PendingList, nowMs: number): number {
  const wanted = approvals.flatMap(({ from }) => (from === undefined ? [] : [Date.parse(from)]));
  return Math.ceil(Math.max(nowMs, ...wanted) / SECOND_MS) * SECOND_MS;
}

async function requireSameBase(feed: Feed, pending: PendingList, files: FeedFiles): Promise<void> {
  if (pending.application !== feed.application) {
    throw new ConfigError(
      `${files.pendingPath(feed.id)}: was fetched for application ${pending.application}, and feed ${feed.id} is of ${feed.application} now: fetch again`,
    );
  }
  const part = await files.readPart(feed.id);
  if ((part?.sha256 ?? null) !== pending.partSha256) throw changedByHand(feed.id, files);
}

function changedByHand(feed: string, files: FeedFiles): ConfigError {
  return new ConfigError(
    `${files.partPath(feed)}: has changed since the list was fetched and compared with it: remove ${files.pendingPath(feed)} and fetch again`,
  );
}

/** `Anna` and `anna ` are one person. */
function isSameName(a: string, b: string): boolean {
  const [left, right] = [a, b].map((name) => name.normalize('NFKC').trim().toLowerCase());
  return left === right;
}
