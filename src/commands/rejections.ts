import type { Command } from 'commander';
import { literal } from '../platform/store.ts';
import { type PrintOptions, printQuery, withPrintOptions } from './print-query.ts';
import { type ConfigOptions, withConfigOptions } from './read-config.ts';
import { recycleRejections } from './recycle-rejections.ts';

interface ListOptions extends PrintOptions {
  reason?: string;
  topic?: string;
  all?: boolean;
}

export function registerRejections(program: Command): void {
  const rejections = program
    .command('rejections')
    .description('records that could not be rated: list and recycle them');
  withPrintOptions(rejections.command('list'))
    .description('list the rejected records that nobody has mended yet, with their place, reason and payload')
    .option('--reason <reason>', 'only those of this reason')
    .option('--topic <topic>', 'only those of this topic or file')
    .option('--all', 'also those that were mended since')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rejections list --store ./zerorate-data
  $ zerorate rejections list --reason invalid_field --store ./zerorate-data --format JSONEachRow > rejected.ndjson

Identities in a payload are replaced by pseudonyms: take the record itself from its source, by topic, partition and offset.`,
    )
    .action((options: ListOptions) => printQuery(listing(options), options));
  withConfigOptions(rejections.command('recycle').argument('<file>', 'mended records, one JSON object a line'))
    .description('book mended records, each once and linked to its rejection')
    .requiredOption('--why <text>', 'why they are handed in again')
    .option('--who <name>', 'who hands them in (default: the user of the operating system)')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate rejections recycle mended.ndjson --why "gateway 7 counted in kB" --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate rejections recycle mended.ndjson --why "gateway 7 counted in kB" --config zerorate.yaml

A line: {"topic": "flows", "partition": 3, "offset": 4711, "record": { ...the mended flow record... }}
The place is the rejection's, as \`rejections list\` prints it; other fields are passed over. A record is rated and booked in
the lane of its rejection, with its counters, its window of duplicates and the catalogue of now, as the log
recycled/NUMBER/TOPIC at the same partition and offset. The same file once more books nothing, or goes on where it was cut short.`,
    )
    .action((file: string, options: ConfigOptions & { why: string; who?: string }) => recycleRejections(file, options));
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
