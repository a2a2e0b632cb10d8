import type { Command } from 'commander';
import { type KeyOptions, readKeyConfig } from '../../engine/assembly/read-config.ts';
import { loadKey } from '../../engine/running/load-key.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { registerErase } from './subscriber-erase.ts';
import { eachAccount, requireAccount, requireMsisdn } from './subscriber-number.ts';

type PrintOptions = KeyOptions & { account?: string[] };

export function registerSubscriber(program: Command): void {
  const subscriber = program
    .command('subscriber')
    .argument('[msisdn]', 'E.164 digits, or a form that the configuration accepts (msisdn)')
    .description('print a subscriber’s or an account’s pseudonym in the journal, or erase a subscriber')
    .option(
      '--account <id>',
      'print the pseudonyms of accounts, as flow records name them (accountId); once for each',
      eachAccount,
    )
    .option('-c, --config <file>', 'the configuration that names the key')
    .option('--store <directory>', 'the embedded store whose development key is meant')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate subscriber 999001960785 --store ./zerorate-data
  $ zerorate subscriber --account B-20417 --store ./zerorate-data`,
    )
    .action(print);
  registerErase(subscriber);
}

async function print(written: string | undefined, options: PrintOptions): Promise<void> {
  const { account: accounts = [] } = options;
  if (written === undefined && accounts.length === 0)
    throw new ConfigError('name an MSISDN, or an account with --account');
  const config = readKeyConfig(options);
  const msisdn = written === undefined ? null : requireMsisdn(written, config.msisdn);
  accounts.forEach(requireAccount);
  const { key } = await loadKey(config, createLogger({ level: 'warn', format: 'json' }));
  const pseudonyms = accounts.map((accountId) => key.pseudonymOfAccount(accountId));
  if (msisdn !== null) pseudonyms.unshift(key.pseudonymOf(msisdn));
  if ((msisdn !== null && key.isErased(msisdn)) || accounts.some((accountId) => key.isAccountErased(accountId))) {
    process.stderr.write('erased: this is the pseudonym of the subscriber that has the number since, if any\n');
  }
  for (const pseudonym of pseudonyms) process.stdout.write(`${pseudonym.toString('hex')}\n`);
}
