import type { Command } from 'commander';
import { readCatalogue, readCataloguePath, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { describeEntry } from '../../finance/accounts/account-entry.ts';
import { CreditWatcher } from '../../finance/accounts/credit-watcher.ts';
import { openForBooking } from '../../journal/open-store.ts';
import { systemClock } from '../../platform/clock.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';

interface WatchOptions {
  config?: string;
  store?: string;
  catalogue?: string;
  once: true;
}

export function registerAccountWatch(account: Command): void {
  account
    .command('watch')
    .description(
      'compare balances with credit limits once, and suspend or resume sponsors accordingly; `run` does this continuously',
    )
    .requiredOption('--once', 'required: check once and exit')
    .option('-c, --config <file>', 'the configuration that names the store and the catalogue')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--catalogue <file>', 'the catalogue')
    .action(async (options: WatchOptions) => {
      const { sponsors } = readCatalogue(readCataloguePath(options));
      const { store } = await openForBooking(readStoreConfig(options), { create: false });
      try {
        const watcher = new CreditWatcher({ store, sponsors, clock: systemClock, checkIntervalMs: 0 });
        const booked = await watcher.check();
        for (const entry of booked) process.stdout.write(`${describeEntry(entry)}: ${entry.why}\n`);
        process.stdout.write(
          `${counted(sponsors.length, 'sponsor')} checked, ${counted(booked.length, 'entry', 'entries')} booked\n`,
        );
      } finally {
        await store.close();
      }
    });
}
