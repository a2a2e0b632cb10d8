import type { Command } from 'commander';
import { type PrintOptions, printQuery, withPrintOptions } from './print-query.ts';

export function registerQuery(program: Command): void {
  withPrintOptions(
    program.command('query').argument('<sql>', 'one ClickHouse statement; it can change nothing and reach no file'),
  )
    .description('query the journal: charges, rejections, batches, outcomes, account_balances')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate query "SELECT * FROM account_balances" --store ./zerorate-data
  $ zerorate query "SELECT reason, sum(records) FROM outcomes GROUP BY reason" --store ./zerorate-data --format CSVWithNames
  $ zerorate query "SELECT * FROM charges WHERE subscriber = '$(zerorate subscriber 999001 --store ./zerorate-data)'" --store ./zerorate-data

The statement must be a query that only reads (SELECT, WITH, SHOW, DESCRIBE, EXISTS, EXPLAIN). INTO OUTFILE and functions that read files or ask other
hosts (file, url, s3, remote, mysql, ...) are refused. The answer goes to standard output: redirect it to write a file.`,
    )
    .action((sql: string, options: PrintOptions) => printQuery(sql, options));
}
