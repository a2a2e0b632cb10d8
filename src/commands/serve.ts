import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { migrate } from '../journal/migrate.ts';
import { onStopSignal } from '../platform/lifecycle.ts';
import { packagePath } from '../platform/package-paths.ts';
import { openStore } from './open-store.ts';

const STOP_GRACE_MS = 10_000;

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('serve an embedded store on this machine: ClickHouse’s HTTP interface for questions, and a web page')
    .requiredOption('--store <directory>', 'directory of the embedded store')
    .option('--port <number>', 'port of the loopback interface; 0 takes a free one', portNumber, 8123)
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate serve --store ./zerorate-data
  $ curl 'http://localhost:8123/?query=SELECT+*+FROM+account_balances+FORMAT+PrettyCompact'

Only this machine reaches it, and nothing can be changed by it. Any ClickHouse client that speaks HTTP may ask, as any user, in the
database \`default\`; http://localhost:8123/ in a browser shows accounts, months, usage by day, leakage, quotas and plans. An
embedded store has one process at a time: an engine that books in it has to be stopped first.`,
    )
    .action(async ({ store, port }: { store: string; port: number }) => {
      const directory = resolve(store);
      const opened = await openStore({ dir: directory }, { create: false, readOnly: false });
      await migrate(opened, packagePath('schemas/clickhouse')).finally(() => opened.close());
      // It brings ClickHouse with it: no other command has to load that.
      const { serveStore } = await import('../serve/http-server.ts');
      const served = await serveStore(directory, port);
      process.stdout.write(`serving ${store} at ${served.url} until it is stopped (Ctrl+C)\n`);
      await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
      await served.stop();
    });
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('A port is from 0 to 65535.');
  return Number(text);
}
