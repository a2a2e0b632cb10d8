import type { Command } from 'commander';
import { type PrintOptions, printQuery, withPrintOptions } from './print-query.ts';

export function registerGaps(program: Command): void {
  withPrintOptions(program.command('gaps'))
    .description('list the missing sequence numbers of each node, with an estimate of what the missing records held')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate gaps --store ./zerorate-data
  $ zerorate gaps --store ./zerorate-data --format CSVWithNames

The estimate is the node's average: charged octets, and charges by currency, for each record that arrived.
Nodes that end in /content have no gaps: their records are identified by their content, not by consecutive numbers.`,
    )
    .action((options: PrintOptions) =>
      printQuery('SELECT * FROM sequence_gaps ORDER BY node_id, first_missing', options),
    );
}
