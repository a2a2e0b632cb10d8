import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { serveStore } from '../../finance/portal/portal-server.ts';
import { defaultLimits, MIN_MEMORY_BYTES, type QueryLimits } from '../../finance/portal/query-limits.ts';
import { openForBooking } from '../../journal/open-store.ts';
import { onStopSignal } from '../../platform/lifecycle.ts';

const STOP_GRACE_MS = 10_000;
const MIB = 2 ** 20;

interface ServeOptions {
  store: string;
  port: number;
  maxResultRows: number;
  maxResultMib: number;
  maxMemoryMib: number;
  executionTimeoutMs: number;
  maxThreads: number;
  maxConcurrentQueries: number;
}

export function registerServe(program: Command): void {
  const limits = defaultLimits();
  program
    .command('serve')
    .description('serve an embedded store on this machine: ClickHouse’s HTTP interface, read-only, and a web page')
    .requiredOption('--store <directory>', 'directory of the embedded store')
    .option('--port <number>', 'port of the loopback interface; 0 takes a free one', portNumber, 8123)
    .option('--max-result-rows <number>', 'rows of one response', wholeNumber(1), limits.maxResultRows)
    .option(
      '--max-result-mib <number>',
      'MiB of one response, uncompressed',
      wholeNumber(1),
      limits.maxResultBytes / MIB,
    )
    .addOption(
      new Option('--max-memory-mib <number>', 'MiB that all queries together may use')
        .argParser(wholeNumber(MIN_MEMORY_BYTES / MIB))
        .default(limits.maxMemoryBytes / MIB, '35 % of the machine’s memory, at least 512'),
    )
    .option(
      '--execution-timeout-ms <number>',
      'time of one query, in milliseconds',
      wholeNumber(1000),
      limits.executionTimeoutMs,
    )
    .addOption(
      new Option('--max-threads <number>', 'threads of one query')
        .argParser(wholeNumber(1))
        .default(limits.maxThreads, 'all cores'),
    )
    .option(
      '--max-concurrent-queries <number>',
      'queries that run at once; 100 more wait',
      wholeNumber(1),
      limits.maxConcurrentQueries,
    )
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate serve --store ./zerorate-data
  $ curl 'http://localhost:8123/?query=SELECT+*+FROM+account_balances+FORMAT+PrettyCompact'
  $ zerorate serve --store ./zerorate-data --max-memory-mib 4096 --execution-timeout-ms 600000

It is read-only, and listens on this machine only. JDBC, clickhouse-connect, @clickhouse/client and curl can query it, with any user name, in the
database (schema) \`default\`: jdbc:clickhouse://localhost:8123/default for JDBC, \`schema: default\` for dbt. clickhouse-go and Grafana need a
ClickHouse server as the store. http://localhost:8123/ in a browser shows accounts, months, usage by day, leakage, quotas and plans.
A client's settings cannot raise a limit. When a client disconnects, its query is cancelled.
Only one process at a time can open an embedded store: stop the engine that uses it first.`,
    )
    .action(serve);
}

async function serve({ store, port, ...options }: ServeOptions): Promise<void> {
  const directory = resolve(store);
  const opened = await openForBooking({ dir: directory }, { create: false });
  await opened.store.close();
  // The store that was open here must be free for the engine's process.
  const { drainPending } = await import('chdb');
  await drainPending();
  const served = await serveStore(directory, port, limitsOf(options));
  process.stdout.write(`serving ${store} at ${served.url} until it is stopped (Ctrl+C)\n`);
  await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
  await served.stop();
}

function limitsOf({ maxResultMib, maxMemoryMib, ...limits }: Omit<ServeOptions, 'store' | 'port'>): QueryLimits {
  return { ...limits, maxResultBytes: maxResultMib * MIB, maxMemoryBytes: maxMemoryMib * MIB };
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d{1,10}$/.test(text) && number >= least) return number;
    throw new InvalidArgumentError(`A whole number from ${least} is needed.`);
  };
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('A port is from 0 to 65535.');
  return Number(text);
}
