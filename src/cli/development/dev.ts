import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { openDevFolder } from '../../development/dev-folder.ts';
import { startDevServer } from '../../development/dev-server.ts';
import { readDevState } from '../../development/dev-state.ts';
import { type DevWorld, startDevWorld } from '../../development/dev-world.ts';
import { Cleanups } from '../../platform/cleanups.ts';
import { reportFailure } from '../failure.ts';

interface DevOptions {
  directory: string;
  brokers?: string;
}

export function registerDev(program: Command): void {
  program
    .command('dev')
    .description(
      'start everything on this machine: broker, store, engine, dispatch server, proxy, gateway, two terminals, and a page',
    )
    .option(
      '--directory <folder>',
      'configurations, secrets, logs and data; written at the first start',
      'zerorate-dev',
    )
    .option(
      '--brokers <list>',
      'Kafka brokers that run already, host:port with commas between; absent: a broker is started',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate dev
  $ zerorate dev --directory trial --brokers localhost:9092

The page shows sessions, octets, charges and the remaining quota, and sends messages from either terminal. A later start uses the
configurations in the folder as they are then: change them. Ctrl+C ends everything. For development only: it is reachable from this
machine alone. A broker needs Java 17 or newer and, for the first start, Maven.`,
    )
    .action(run);
}

async function run({ directory, brokers }: DevOptions): Promise<void> {
  const endings = new Cleanups();
  const stop = stopOnSignal(endings);
  try {
    const settings = await openDevFolder({
      folder: resolve(directory),
      ...(brokers !== undefined && { brokers: brokers.split(',').map((address) => address.trim()) }),
      print,
    });
    const world = await startDevWorld(settings, endings, print);
    const server = await startDevServer({
      port: settings.dev.page.port,
      terminals: world.terminals,
      readState: () => readDevState(world),
    });
    endings.add(() => server.stop());
    print(guide(server.url, world));
  } catch (error) {
    // A program that is stopped while others start makes the start fail.
    if (!stop.isStopping) {
      process.exitCode = reportFailure(error);
      await endings.run(false);
      // A connection attempt that is under way would keep the process.
      process.exit();
    }
  }
}

/** The first signal ends everything in order; a second one at once: what was started ends with this process. */
function stopOnSignal(endings: Cleanups): { readonly isStopping: boolean } {
  const stop = { isStopping: false };
  const handle = (signal: NodeJS.Signals) => {
    if (stop.isStopping) process.exit(signal === 'SIGINT' ? 130 : 143);
    stop.isStopping = true;
    print('stopping; once more ends it at once');
    void endings.run(false).finally(() => {
      print('everything has ended');
      process.exit(0);
    });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle);
  return stop;
}

function guide(url: string, { settings, terminals }: DevWorld): string {
  const folder = relative('', settings.folder) || '.';
  const [first, second] = terminals.map(({ account }) => account);
  return `
Everything runs: ${url}

Three things to try on the page:
  1. Send a text from ${first}: it arrives at ${second}, sponsored; a few seconds later the engine has charged it.
  2. Upload 4 MiB three times: the quota is used up, and what follows goes direct, at the subscriber's cost.
  3. Change ${folder}/catalogue.yaml (a price, a quota) while everything runs: the log of the engine shows that it is in use.

Configurations and logs: ${folder}/    Ctrl+C ends everything; the next start continues with the folder.`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
