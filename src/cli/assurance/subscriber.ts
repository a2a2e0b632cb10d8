import type { Command } from 'commander';
import { type KeyOptions, readKeyConfig } from '../../engine/assembly/read-config.ts';
import { loadKey } from '../../engine/running/load-key.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { registerErase } from './subscriber-erase.ts';
import { requireMsisdn } from './subscriber-number.ts';

export function registerSubscriber(program: Command): void {
  const subscriber = program
    .command('subscriber')
    .argument('<msisdn>', 'E.164 digits, or a form that the configuration accepts (msisdn)')
    .description('print a subscriber’s pseudonym in the journal, or erase a subscriber')
    .option('-c, --config <file>', 'the configuration that names the key')
    .option('--store <directory>', 'the embedded store whose development key is meant')
    .addHelpText('after', '\nExample:\n  $ zerorate subscriber 999001960785 --store ./zerorate-data')
    .action(async (written: string, options: KeyOptions) => {
      const config = readKeyConfig(options);
      const msisdn = requireMsisdn(written, config.msisdn);
      const { key } = await loadKey(config, createLogger({ level: 'warn', format: 'json' }));
      const pseudonym = key.pseudonymOf(msisdn).toString('hex');
      if (key.isErased(msisdn)) {
        process.stderr.write('erased: this is the pseudonym of the subscriber that has the number since, if any\n');
      }
      process.stdout.write(`${pseudonym}\n`);
    });
  registerErase(subscriber);
}
