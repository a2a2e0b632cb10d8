import { isInterrupted, lastChange } from '../../evidence/approve-feed.ts';
import { claimConflicts, conflictText } from '../../evidence/claim-conflicts.ts';
import { latestList } from '../../evidence/dated-prefixes.ts';
import type { Feed } from '../../evidence/evidence-config-schema.ts';
import { checkPending } from '../../evidence/fetch-feed.ts';
import { sourceName } from '../../evidence/fetch-source.ts';
import { type OpenFeeds, openFeeds } from '../../evidence/open-feeds.ts';
import type { PendingList } from '../../evidence/pending-list.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';
import {
  describeApprovals,
  describeChange,
  describeDifference,
  describeEarliest,
  describeNotes,
  describeRefusals,
  describeSource,
  print,
  printFaults,
} from './describe-feed.ts';
import { type EvidenceOptions, raiseExitCode } from './evidence-options.ts';

/** Prints what is in force of each feed, and what waits. */
export async function showFeeds({ config, feed }: EvidenceOptions): Promise<void> {
  const open = openFeeds(config, feed, Date.now);
  for (const each of open.feeds) {
    try {
      print(await describeFeed(each, open, feed !== undefined));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      printFaults([`${each.id}: ${error.message} [${error.code}]`]);
      raiseExitCode(2);
    }
  }
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

async function describePart(feed: Feed, { context, config, isNamed }: OpenFeeds): Promise<string[]> {
  const { files } = context;
  const [part, last] = [await files.readPartOf(feed), await lastChange(files, feed.id)];
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
  const inForce = part.value.prefixes.filter(({ toMs }) => toMs > context.nowMs());
  const conflicts = claimConflicts(feed.application, inForce, await context.claimedBeside(feed.id));
  if (conflicts.length > 0) {
    lines.push(`  WARNING: ${conflictText(conflicts)} share addresses: end one of them where the other begins`);
  }
  return last === null ? lines : [...lines, ...describeChange(last)];
}

async function describePending(
  feed: Feed,
  pending: PendingList,
  { config, context }: OpenFeeds,
  showsAll: boolean,
): Promise<string[]> {
  const { difference, refusals, conflictsEndMs } = await checkPending(feed, pending, null, context);
  const again = `  an approval was interrupted: run zerorate evidence approve ${feed.id} again to complete it`;
  return [
    ...(isInterrupted(pending, config.approvals) ? [again] : []),
    `  waits for approval: ${context.files.pendingPath(feed.id)}`,
    ...describeSource(pending),
    describeApprovals(pending, config.approvals),
    ...describeDifference(difference, showsAll),
    ...describeEarliest(conflictsEndMs),
    ...describeRefusals('  approval would be', refusals),
    ...describeNotes(pending.notes),
  ];
}
