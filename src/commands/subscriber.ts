import { resolve } from 'node:path';
import type { Command } from 'commander';
import { pseudonymOf } from '../billing/pseudonym.ts';
import { ConfigError } from '../platform/config-error.ts';
import { createLogger } from '../platform/logger.ts';
import { parsePseudonymKey } from '../platform/pseudonym-key.ts';
import { pseudonymKey } from './open-store.ts';
import { readConfig } from './read-config.ts';

interface SubscriberOptions {
  config?: string;
  store?: string;
}

export function registerSubscriber(program: Command): void {
  program
    .command('subscriber')
    .argument('<msisdn>', 'digits, as in the flow records')
    .description('print the pseudonym that stands for a subscriber in the journal')
    .option('-c, --config <file>', 'the configuration that names the key')
    .option('--store <directory>', 'the embedded store whose development key is meant')
    .addHelpText('after', '\nExample:\n  $ zerorate subscriber 999001960785 --store ./zerorate-data')
    .action(async (msisdn: string, options: SubscriberOptions) => {
      if (!/^\d{1,15}$/.test(msisdn)) throw new ConfigError('an MSISDN is 1 to 15 digits, without + or spaces');
      process.stdout.write(`${pseudonymOf(msisdn, await keyOf(options)).toString('hex')}\n`);
    });
}

function keyOf({ config, store }: SubscriberOptions): Promise<Buffer> | Buffer {
  const logger = createLogger({ level: 'warn', format: 'json' });
  if (config !== undefined) return pseudonymKey(readConfig({ config }), logger);
  const ownKey = process.env.ZERORATE_PSEUDONYM_KEY;
  if (ownKey !== undefined) return parsePseudonymKey(ownKey, 'ZERORATE_PSEUDONYM_KEY');
  if (store === undefined)
    throw new ConfigError('which key? Name --store DIRECTORY, --config FILE or ZERORATE_PSEUDONYM_KEY');
  return pseudonymKey({ pseudonymKey: null, store: { dir: resolve(store) } }, logger);
}
