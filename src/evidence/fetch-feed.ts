import type { DocumentFault } from '../formats/document-fault.ts';
import { type ClaimedPrefix, claimConflicts, conflictsEndMs } from './claim-conflicts.ts';
import { latestList } from './dated-prefixes.ts';
import type { Feed } from './evidence-config-schema.ts';
import type { FeedFiles } from './feed-files.ts';
import { checkGuards, type GuardRefusal } from './feed-guards.ts';
import { fetchSource, sourceName } from './fetch-source.ts';
import { readAddressList } from './forms/read-address-list.ts';
import { compareLists, isSameList, type ListDifference } from './list-difference.ts';
import { timeText } from './part-text.ts';
import { hashOf, type PendingList } from './pending-list.ts';

/** What the work on a feed needs beside the feed. */
export interface FeedContext {
  files: FeedFiles;
  nowMs: () => number;
  /** Resolves with the prefixes that are claimed beside a feed's, by any application, now or later. */
  claimedBeside: (feed: string) => Promise<readonly ClaimedPrefix[]>;
}

export type FetchOutcome =
  /** The list is the one in force. `isWithdrawn`: another one waited, and does no longer. */
  | { kind: 'unchanged'; isWithdrawn: boolean; notes: readonly string[] }
  /** The list waits for approval. `isNew`: not since an earlier fetch. `isReplaced`: another one, with its approvals, waited before. */
  | { kind: 'pending'; pending: PendingList; checked: CheckedList; isNew: boolean; isReplaced: boolean }
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
  const part = await files.readPartOf(feed);
  const fetched = await fetchSource(feed);
  if (fetched.refusal !== undefined) return { kind: 'refused', refusals: [fetched.refusal] };
  const source = sourceName(feed.source);
  const read = readAddressList(feed, fetched.bytes, source);
  if (read.faults !== undefined) return { kind: 'damaged', faults: read.faults };
  const { prefixes, createdAtMs, notes } = read.list;

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
  const checked = await checkPending(feed, pending, null, context);
  if (checked.refusals.length > 0) return { kind: 'refused', refusals: checked.refusals };

  const before = await files.readPending(feed.id);
  if (part !== null && isSameList(checked.difference)) {
    if (before !== null) await files.removePending(feed.id);
    return { kind: 'unchanged', isWithdrawn: before !== null, notes };
  }
  if (before !== null && isSamePending(before, pending)) {
    return { kind: 'pending', pending: before, checked, isNew: false, isReplaced: false };
  }
  await files.writePending(pending);
  return { kind: 'pending', pending, checked, isNew: true, isReplaced: before !== null };
}

/** What a list changes, each limit that it exceeds, and when claims that end have ended; null: it is not beside any. */
export interface CheckedList {
  refusals: GuardRefusal[];
  difference: ListDifference;
  conflictsEndMs: number | null;
}

/** Compares a list with the part in force and with all that is claimed beside it. `fromMs`: when it is to be in force; null: not decided. */
export async function checkPending(
  feed: Feed,
  { prefixes, createdAt }: Pick<PendingList, 'prefixes' | 'createdAt'>,
  fromMs: number | null,
  { files, nowMs, claimedBeside }: FeedContext,
): Promise<CheckedList> {
  const part = await files.readPartOf(feed);
  const difference = compareLists(part === null ? [] : latestList(part.value.prefixes), prefixes);
  const span = { fromMs: fromMs ?? nowMs(), toMs: Number.POSITIVE_INFINITY };
  const dated = prefixes.map((prefix) => ({ prefix, ...span }));
  const conflicts = claimConflicts(feed.application, dated, await claimedBeside(feed.id));
  const refusals = checkGuards(feed, {
    prefixes,
    createdAtMs: instantOf(createdAt),
    // The first list has no measure, and people who approve it.
    difference: part === null ? null : difference,
    createdBeforeMs: instantOf(part?.value.createdAt),
    conflicts,
    fromMs,
    nowMs: nowMs(),
  });
  return { refusals, difference, conflictsEndMs: conflictsEndMs(conflicts) };
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
