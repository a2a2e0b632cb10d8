import type { Command } from 'commander';
import { type EvidenceOptions, timeOption } from './evidence-options.ts';

export function registerEvidence(program: Command): void {
  const evidence = program
    .command('evidence')
    .description('turn published lists of addresses into dated parts of the catalogue: fetch, show, approve')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate evidence fetch --config evidence.yaml
  $ zerorate evidence show --feed chatter-cdn --config evidence.yaml
  $ zerorate evidence approve chatter-cdn --by anna --config evidence.yaml

A fetched list waits beside the part in force until it is approved. fixtures/demo/evidence.yaml is a commented example,
docs/operate/evidence-feeds.md explains the steps.`,
    );
  withConfig(evidence.command('fetch'))
    .description(
      'fetch lists, check them, keep what differs from the part in force as pending, and print the difference',
    )
    .option('--feed <id>', 'only this feed; absent: all')
    .option('--by <name>', 'name for the log; it does not count as an approval')
    .addHelpText(
      'after',
      `
Exit code 3 where a limit of a feed (guards) refuses a list, 2 where a list is damaged, 1 where one could not be fetched; of several
feeds the highest. The part in force and a list that waits stay as they are.`,
    )
    .action(async (options: EvidenceOptions & { by?: string }) =>
      (await import('./evidence-fetch.ts')).fetchFeeds(options),
    );
  withConfig(evidence.command('show'))
    .description('print what is in force, what waits and what it would change, and who has approved it')
    .option('--feed <id>', 'only this feed, with all changed prefixes; absent: all feeds, at most 40 prefixes each')
    .action(async (options: EvidenceOptions) => (await import('./evidence-show.ts')).showFeeds(options));
  withConfig(evidence.command('approve'))
    .description('approve the list of a feed that waits; with the last approval needed it is in force')
    .argument('<feed>', 'id of the feed')
    .requiredOption('--by <name>', 'who approves')
    .option(
      '--from <time>',
      'from when on the list is in force, as 2026-02-01T00:00:00Z; absent: from now on',
      timeOption,
    )
    .addHelpText(
      'after',
      `
Records that start before the change are rated with the previous list: prefixes that are gone get an end, new ones a beginning. The same
command again changes nothing; with another --from it changes the time of that person's approval. Exit code 3 if a limit of the feed (guards) refuses the list when it is approved.`,
    )
    .action(async (feed: string, options: EvidenceOptions & { by: string; from?: number }) =>
      (await import('./evidence-approve.ts')).approve(feed, options),
    );
}

function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', 'the configuration of the feeds', 'evidence.yaml');
}
