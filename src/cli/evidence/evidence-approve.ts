import { dirname, relative } from 'node:path';
import { type Approval, type ApprovalOutcome, approveFeed } from '../../evidence/approve-feed.ts';
import type { Feed } from '../../evidence/evidence-config-schema.ts';
import type { LoggedChange } from '../../evidence/feed-files.ts';
import { type OpenFeeds, openFeeds, whileLocked } from '../../evidence/open-feeds.ts';
import { timeText } from '../../evidence/part-text.ts';
import { isSamePerson } from '../../evidence/pending-list.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import {
  describeApprovals,
  describeChange,
  describeDifference,
  describeRefusals,
  print,
  printFaults,
} from './describe-feed.ts';
import { type EvidenceOptions, personOf, REFUSED_EXIT_CODE, raiseExitCode } from './evidence-options.ts';

/** Approves the list of a feed that waits. */
export async function approve(
  id: string,
  { config, by, from: fromMs }: EvidenceOptions & { by: string; from?: number },
): Promise<void> {
  const approval = { by: personOf(by), fromMs };
  const open = openFeeds(config, id, Date.now);
  const [feed] = open.feeds;
  const outcome = await whileLocked(open, () => approveFeed(feed, approval, open.context));
  report(feed, outcome, approval, open);
}

function report(
  feed: Feed,
  outcome: ApprovalOutcome,
  approval: Approval,
  { config, context, isNamed }: OpenFeeds,
): void {
  const { id, application } = feed;
  if (outcome.kind === 'nothing') {
    print(describeLast(id, outcome.last, approval));
  } else if (outcome.kind === 'waiting') {
    const again = {
      new: '',
      repeated: `${approval.by} has approved this list already; `,
      changed: `the time that ${approval.by} names takes the place of the former one; `,
    }[outcome.added];
    print([
      `${id}: ${again}the list waits for the approval of another person`,
      describeApprovals(outcome.pending, config.approvals),
    ]);
  } else if (outcome.kind === 'refused') {
    printFaults([...describeRefusals(id, outcome.refusals), `${id}: nothing changes`]);
    raiseExitCode(REFUSED_EXIT_CODE);
  } else {
    const part = context.files.partPath(id);
    print([
      `${id}: ${part} is written`,
      ...describeChange(outcome.change),
      ...describeDifference(outcome.difference, false),
      ...(isNamed(feed)
        ? []
        : [
            `  ${config.catalogue} does not use it yet: add ${relative(dirname(config.catalogue), part)} to prefixFiles of application ${application}`,
          ]),
    ]);
  }
}

/** The last change, where this very approval is part of it: the same command again changes nothing. */
function describeLast(id: string, last: LoggedChange | null, { by, fromMs }: Approval): string[] {
  const own = last?.approvals.find((each) => isSamePerson(each.by, by));
  if (last === null || own === undefined) {
    throw new ConfigError(`${id}: no list waits for approval; fetch it with zerorate evidence fetch --feed ${id}`);
  }
  if (fromMs !== undefined && own.from !== timeText(fromMs)) {
    throw new ConfigError(
      `${id}: no list waits for approval, and the last one is in force from ${last.effectiveFrom} on: --from does not change that`,
    );
  }
  return [`${id}: no list waits; the last one is approved by ${by}`, ...describeChange(last)];
}
