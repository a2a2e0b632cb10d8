import { resumeApproval } from '../../evidence/approve-feed.ts';
import type { Feed } from '../../evidence/evidence-config-schema.ts';
import { type FetchOutcome, fetchFeed } from '../../evidence/fetch-feed.ts';
import { FeedSourceError } from '../../evidence/fetch-source.ts';
import { type OpenFeeds, openFeeds, whileLocked } from '../../evidence/open-feeds.ts';
import { formatFault } from '../../formats/document-fault.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
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
import { type EvidenceOptions, personOf, REFUSED_EXIT_CODE, raiseExitCode } from './evidence-options.ts';

/** Fetches each feed by itself: one that cannot be fetched keeps none of the others back. */
export async function fetchFeeds({ config, feed: id, by }: EvidenceOptions & { by?: string }): Promise<void> {
  const fetchedBy = by === undefined ? undefined : personOf(by);
  const open = openFeeds(config, id, Date.now);
  await whileLocked(open, async () => {
    for (const feed of open.feeds) {
      try {
        await resume(feed, open);
        report(feed, await fetchFeed(feed, fetchedBy, open.context), open);
      } catch (error) {
        if (!(error instanceof FeedSourceError) && !(error instanceof ConfigError)) throw error;
        printFaults([`${feed.id}: ${error.message} [${error.code}]`, `${feed.id}: nothing changes`]);
        raiseExitCode(error instanceof ConfigError ? 2 : 1);
      }
    }
  });
}

/** A list whose approval cannot be completed waits on; the fetch may bring one that can be approved. */
async function resume(feed: Feed, { context }: OpenFeeds): Promise<void> {
  const resumed = await resumeApproval(feed, context);
  if (resumed?.kind === 'in_force') {
    print([`${feed.id}: an approval that was interrupted is completed`, ...describeChange(resumed.change)]);
  } else if (resumed?.kind === 'refused') {
    const refusals = describeRefusals(feed.id, resumed.refusals);
    printFaults([...refusals, `${feed.id}: an approval that was interrupted is not completed`]);
    raiseExitCode(REFUSED_EXIT_CODE);
  }
}

function report(feed: Feed, outcome: FetchOutcome, { context, config }: OpenFeeds): void {
  const { id } = feed;
  if (outcome.kind === 'unchanged') {
    const withdrawn = outcome.isWithdrawn ? '; the list that waited is withdrawn' : '';
    print([`${id}: the list is the last approved one${withdrawn}`, ...describeNotes(outcome.notes)]);
  } else if (outcome.kind === 'pending') {
    const { pending, checked, isNew, isReplaced } = outcome;
    const replaced = isReplaced ? ', in place of an earlier one and its approvals' : '';
    print([
      `${id}: the list waits for approval${isNew ? replaced : ' since an earlier fetch'}: ${context.files.pendingPath(id)}`,
      ...describeSource(pending),
      describeApprovals(pending, config.approvals),
      ...describeDifference(checked.difference, false),
      ...describeEarliest(checked.conflictsEndMs),
      ...describeNotes(pending.notes),
    ]);
  } else if (outcome.kind === 'refused') {
    printFaults([...describeRefusals(id, outcome.refusals), `${id}: nothing changes`]);
    raiseExitCode(REFUSED_EXIT_CODE);
  } else {
    printFaults([
      ...outcome.faults.map((fault) => `${id}: ${formatFault(fault)}`),
      `${id}: the list is damaged or of another form than ${feed.form}; nothing changes`,
    ]);
    raiseExitCode(2);
  }
}
