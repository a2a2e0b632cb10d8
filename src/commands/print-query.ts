import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { openStore } from './open-store.ts';
import { readStoreConfig } from './read-config.ts';

export interface PrintOptions {
  config?: string;
  store?: string;
  format?: string;
}

/** The options of a command that prints what a store has. */
export function withPrintOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--format <format>', 'any ClickHouse format; by default a table on a terminal and TSV elsewhere');
}

/** Runs one statement that only reads, and prints its result as ClickHouse formats it. */
export async function printQuery(sql: string, options: PrintOptions): Promise<void> {
  const store = await openStore(readStoreConfig(options), { create: false });
  const format = options.format ?? (process.stdout.isTTY ? 'PrettyCompactMonoBlock' : 'TSVWithNames');
  try {
    await pipeline(await store.stream(sql.replace(/[\s;]+$/, ''), format), process.stdout, { end: false });
  } finally {
    await store.close();
  }
}
