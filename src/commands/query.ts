import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { openStore } from './open-store.ts';
import { readStoreConfig } from './read-config.ts';

interface QueryOptions {
  config?: string;
  store?: string;
  format?: string;
}

export function registerQuery(program: Command): void {
  program
    .command('query')
    .argument('<sql>', 'one ClickHouse statement; it can change nothing')
    .description('ask the journal: charges, rejections, batches, outcomes, account_balances')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--format <format>', 'any ClickHouse format; by default a table on a terminal and TSV elsewhere')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate query "SELECT * FROM account_balances" --store ./zerorate-data
  $ zerorate query "SELECT reason, sum(records) FROM outcomes GROUP BY reason" --store ./zerorate-data --format CSVWithNames
  $ zerorate query "SELECT * FROM charges WHERE subscriber = '$(zerorate subscriber 999001 --store ./zerorate-data)'" --store ./zerorate-data`,
    )
    .action(async (sql: string, options: QueryOptions) => {
      const store = await openStore(readStoreConfig(options), { create: false });
      const format = options.format ?? (process.stdout.isTTY ? 'PrettyCompactMonoBlock' : 'TSVWithNames');
      try {
        await pipeline(await store.stream(sql.replace(/[\s;]+$/, ''), format), process.stdout, { end: false });
      } finally {
        await store.close();
      }
    });
}
