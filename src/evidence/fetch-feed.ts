import type { DocumentFault } from '../formats/document-fault.ts';
import { latestList } from './dated-prefixes.ts';
import type { Feed } from './evidence-config-schema.ts';
import type { FeedFiles, PendingList } from './feed-files.ts';
import { hashOf } from './feed-files.ts';
import { type ClaimedPrefix, checkGuards, type GuardRefusal } from './feed-guards.ts';
import { fetchSource, sourceName } from './fetch-source.ts';
import { readAddressList } from './forms/read-address-list.ts';
import { compareLists, isSameList, type ListDifference } from './list-difference.ts';
import { timeText } from './part-text.ts';

/** What the work on a feed needs beside the feed. */
export interface FeedContext {
  files: FeedFiles;
  nowMs: () => number;
  /** Returns the prefixes that other applications of the catalogue claim now or later. */
  claimedByOthers: (application: string) => readonly ClaimedPrefix[];
}

export type FetchOutcome =
  /** The list is the one in force. `isWithdrawn`: another one waited, and does no longer. */
  | { kind: 'unchanged'; isWithdrawn: boolean; notes: readonly string[] }
  /** The list waits for approval. `isNew`: not since an earlier fetch. `isReplaced`: another one, with its approvals, waited before. */
  | { kind: 'pending'; pending: PendingList; difference: ListDifference; isNew: boolean; isReplaced: boolean }
  /** Nothing was written. */
  | { kind: 'refused'; refusals: readonly GuardRefusal[] }
  | { kind: 'damaged'; faults: readonly DocumentFault[] };

/**
 * Fetches a feed's list, and keeps it as pending where it differs from what is in force and exceeds no limit. The part in force, and a
 * pending list where the new one is refused, stay as they are. Rejects with a FeedSourceError or a ConfigError.
 */
export async function fetchFeed(
  feed: Feed,
  fetchedBy: string | undefined,
  context: FeedContext,
): Promise<FetchOutcome> {
  const { files } = context;
  const fetched = await fetchSource(feed);
  if (fetched.refusal !== undefined) return { kind: 'refused', refusals: [fetched.refusal] };
  const source = sourceName(feed.source);
  const read = readAddressList(feed, fetched.bytes, source);
  if (read.faults !== undefined) return { kind: 'damaged', faults: read.faults };
  const { prefixes, createdAtMs, notes } = read.list;

  const part = await files.readPart(feed.id);
  const pending: PendingList = {
    feed: feed.id,
    application: feed.application,
    source,
    sourceSha256: hashOf(fetched.bytes),
    fetchedAt: timeText(context.nowMs()),
    fetchedBy,
    createdAt: createdAtMs === null ? undefined : timeText(createdAtMs),
    partSha256: part?.sha256 ?? null,
    notes: [...notes],
    approvals: [],
    prefixes: [...prefixes],
  };
  const { refusals, difference } = await checkPending(feed, pending, context);
  if (refusals.length > 0) return { kind: 'refused', refusals };

  const before = await files.readPending(feed.id);
  if (part !== null && isSameList(difference)) {
    if (before !== null) await files.removePending(feed.id);
    return { kind: 'unchanged', isWithdrawn: before !== null, notes };
  }
  if (before !== null && isSamePending(before, pending)) {
    return { kind: 'pending', pending: before, difference, isNew: false, isReplaced: false };
  }
  await files.writePending(pending);
  return { kind: 'pending', pending, difference, isNew: true, isReplaced: before !== null };
}

/** Compares a pending list with the part in force: what it changes, and each limit that it exceeds. */
export async function checkPending(
  feed: Feed,
  { prefixes, createdAt }: Pick<PendingList, 'prefixes' | 'createdAt'>,
  { files, nowMs, claimedByOthers }: FeedContext,
): Promise<{ refusals: GuardRefusal[]; difference: ListDifference }> {
  const part = await files.readPart(feed.id);
  const difference = compareLists(part === null ? [] : latestList(part.value.prefixes), prefixes);
  const refusals = checkGuards(feed, {
    prefixes,
    createdAtMs: instantOf(createdAt),
    // The first list has no measure, and people who approve it.
    difference: part === null ? null : difference,
    createdBeforeMs: instantOf(part?.value.createdAt),
    claimed: claimedByOthers(feed.application),
    nowMs: nowMs(),
  });
  return { refusals, difference };
}

function isSamePending(a: PendingList, b: PendingList): boolean {
  const [left, right] = [a, b].map(({ application, source, partSha256, prefixes }) =>
    JSON.stringify([application, source, partSha256, prefixes]),
  );
  return left === right;
}

function instantOf(text: string | undefined): number | null {
  return text === undefined ? null : Date.parse(text);
}
