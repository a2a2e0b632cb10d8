import { lastChange } from '../../evidence/approve-feed.ts';
import { latestList } from '../../evidence/dated-prefixes.ts';
import type { Feed } from '../../evidence/evidence-config-schema.ts';
import type { PendingList } from '../../evidence/feed-files.ts';
import { checkPending } from '../../evidence/fetch-feed.ts';
import { sourceName } from '../../evidence/fetch-source.ts';
import { type OpenFeeds, openFeeds } from '../../evidence/open-feeds.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';
import {
  describeApprovals,
  describeChange,
  describeDifference,
  describeNotes,
  describeRefusals,
  describeSource,
  print,
} from './describe-feed.ts';
import type { EvidenceOptions } from './evidence-options.ts';

/** Prints what is in force of each feed, and what waits. */
export async function showFeeds({ config, feed }: EvidenceOptions): Promise<void> {
  const open = openFeeds(config, feed, Date.now);
  for (const each of open.feeds) print(await describeFeed(each, open, feed !== undefined));
}

async function describeFeed(feed: Feed, open: OpenFeeds, showsAll: boolean): Promise<string[]> {
  const { files } = open.context;
  const pending = await files.readPending(feed.id);
  return [
    `${feed.id}: application ${feed.application}, ${feed.form}, ${sourceName(feed.source)}`,
    ...(await describePart(feed, open)),
    ...(pending === null ? ['  no list waits for approval'] : await describePending(feed, pending, open, showsAll)),
  ];
}

async function describePart(feed: Feed, { context: { files }, config, isNamed }: OpenFeeds): Promise<string[]> {
  const [part, last] = [await files.readPart(feed.id), await lastChange(files, feed.id)];
  const path = files.partPath(feed.id);
  if (part === null) return ['  no part is in force'];
  const lines = [`  ${path}: ${counted(latestList(part.value.prefixes).length, 'prefix', 'prefixes')}`];
  // A part that was moved to the feed by hand has no change in the log.
  if (last !== null && last.partSha256 !== part.sha256) {
    lines.push(`  WARNING: ${path} is not as ${files.logPath} says: it was changed by hand`);
  }
  if (!isNamed(feed)) {
    lines.push(
      `  WARNING: ${config.catalogue} does not use it: application ${feed.application} must name it in prefixFiles`,
    );
  }
  return last === null ? lines : [...lines, ...describeChange(last)];
}

async function describePending(
  feed: Feed,
  pending: PendingList,
  { config, context }: OpenFeeds,
  showsAll: boolean,
): Promise<string[]> {
  if (pending.effectiveFrom !== undefined) {
    return [`  an approval was interrupted: run zerorate evidence approve ${feed.id} again to complete it`];
  }
  const { difference, refusals } = await checkPending(feed, pending, context);
  return [
    `  waits for approval: ${context.files.pendingPath(feed.id)}`,
    ...describeSource(pending),
    describeApprovals(pending, config.approvals),
    ...describeDifference(difference, showsAll),
    ...describeRefusals('  approval would be', refusals),
    ...describeNotes(pending.notes),
  ];
}
