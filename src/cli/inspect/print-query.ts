import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { readStoreConfig } from '../../engine/assembly/read-config.ts';
import { inspectStatement } from '../../finance/portal/inspect-statement.ts';
import { operatorLimits } from '../../finance/portal/query-limits.ts';
import { openReadOnlyEngine } from '../../finance/portal/read-only-engine.ts';
import { requireKnown } from '../../journal/migrate.ts';
import { openStore } from '../../journal/open-store.ts';
import { guarded, literal, StoreError } from '../../platform/clickhouse/store.ts';
import type { ServerStoreConfig } from '../../platform/config/config.ts';
import { packagePath } from '../../platform/package-paths.ts';

const CLICKHOUSE_FAULT = /^Code: (\d+)\. DB::\w+: (.*)$/s;

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

/** Runs one statement that can change nothing and reach no file (see inspectStatement), and prints its result as ClickHouse formats it. */
export async function printQuery(sql: string, options: PrintOptions): Promise<void> {
  const config = readStoreConfig(options);
  const format = options.format ?? (process.stdout.isTTY ? 'PrettyCompactMonoBlock' : 'TSVWithNames');
  const statement = sql.replace(/[\s;]+$/, '');
  try {
    if (config.dir === undefined) await printFromServer(config, statement, format);
    else await printFromDirectory(resolve(config.dir), statement, format);
  } catch (error) {
    const [, code, text] = CLICKHOUSE_FAULT.exec(error instanceof Error ? error.message : '') ?? [];
    if (code === undefined || error instanceof StoreError) throw error;
    await guarded(() => Promise.reject(Object.assign(new Error(text, { cause: error }), { code })));
  }
}

async function printFromDirectory(directory: string, sql: string, defaultFormat: string): Promise<void> {
  const engine = await openReadOnlyEngine(directory, operatorLimits());
  const ask = (text: string, format: string) => ({ sql: text, defaultFormat: format, database: null, settings: [] });
  try {
    const query = async <T>(text: string) => rowsOf<T>((await engine.ask(ask(text, 'JSONEachRow'))).result.text());
    await requireKnown({ query }, packagePath('schemas/clickhouse'));
    const { bytes } = await engine.stream(ask(sql, defaultFormat));
    await pipeline(bytes, process.stdout, { end: false });
  } finally {
    await engine.stop();
  }
}

function rowsOf<T>(lines: string): T[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

async function printFromServer(config: ServerStoreConfig, sql: string, defaultFormat: string): Promise<void> {
  const store = await openStore(config, { create: false });
  try {
    const [row] = await store.query<{ sql: string }>(`SELECT formatQuerySingleLine(${literal(sql)}) AS sql`);
    const inspected = inspectStatement(row.sql);
    await pipeline(await store.stream(inspected.sql, inspected.format ?? defaultFormat), process.stdout, {
      end: false,
    });
  } finally {
    await store.close();
  }
}
