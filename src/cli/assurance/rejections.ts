import type { Command } from 'commander';
import { withConfigOptions } from '../../engine/assembly/read-config.ts';
import { literal } from '../../platform/clickhouse/store.ts';
import { type PrintOptions, printQuery, withPrintOptions } from '../inspect/print-query.ts';
import { type RecycleOptions, recycleRejections } from './recycle-rejections.ts';
import { registerReverse } from './reverse-rejections.ts';

interface ListOptions extends PrintOptions {
  reason?: string;
  topic?: string;
  all?: boolean;
}

export function registerRejections(program: Command): void {
  const rejections = program
    .command('rejections')
    .description('list, correct and recycle records that could not be rated');
  withPrintOptions(rejections.command('list'))
    .description('list the rejected records that are not recycled yet, with their place, reason and payload')
    .option('--reason <reason>', 'only those of this reason')
    .option('--topic <topic>', 'only those of this topic or file')
    .option('--all', 'also those that were recycled since')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rejections list --store ./zerorate-data
  $ zerorate rejections list --reason invalid_field --store ./zerorate-data --format JSONEachRow > rejected.ndjson

Identities in a payload are replaced by pseudonyms: take the record itself from its source, by topic, partition and offset.`,
    )
    .action((options: ListOptions) => printQuery(listing(options), options));
  withConfigOptions(rejections.command('recycle').argument('<file>', 'corrected records, one JSON object a line'))
    .description('book corrected records, each once and linked to its rejection')
    .option('--why <text>', 'why they are handed in again')
    .option('--who <name>', 'who hands them in (default: the user of the operating system)')
    .option('--dry-run', 'show what each record would become: outcome, reason, application, charge; book nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rejections recycle corrected.ndjson --dry-run --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate rejections recycle corrected.ndjson --why "gateway 7 counted in kB" --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate rejections recycle corrected.ndjson --why "gateway 7 counted in kB" --config zerorate.yaml

A line: {"topic": "flows", "partition": 3, "offset": 4711, "record": { ...the corrected flow record... }}
Topic, partition and offset are those of the rejection, as \`rejections list\` prints them; other fields are ignored. A record is rated
and booked in the lane of its rejection, with that lane's counters and window of duplicates and the current catalogue, under the topic
recycled/NUMBER/TOPIC at the same partition and offset. If a record would be rejected again, as with \`period_closed\`, nothing is claimed
and the exit code is 2 (with --dry-run 1). The same file handed in again books nothing twice: it continues where it was interrupted, and
retries records that were rejected again.`,
    )
    .action((file: string, options: RecycleOptions) => recycleRejections(file, options));
  registerReverse(rejections);
}

function listing({ reason, topic, all }: ListOptions): string {
  const conditions = [
    ...(reason === undefined ? [] : [`reason = ${literal(reason)}`]),
    ...(topic === undefined ? [] : [`topic = ${literal(topic)}`]),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')} `;
  const view = all === true ? 'rejections' : 'suspense';
  return `SELECT topic, partition, offset, reason, detail, booking_date, payload FROM ${view} ${where}ORDER BY topic, partition, offset`;
}
