import type { Command } from 'commander';
import { type Month, parseMonth } from '../finance/month.ts';
import { ConfigError } from '../platform/config/config-error.ts';

/** Options of a command about one month of one sponsor. */
export interface MonthOptions {
  config?: string;
  store?: string;
  sponsor: string;
  month: string;
}

export function withMonthOptions(command: Command): Command {
  return command
    .requiredOption('--sponsor <id>', 'the sponsor, as the catalogue names it')
    .requiredOption('--month <month>', 'the month, as 2026-11')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store');
}

/** Throws a ConfigError for what is no month. */
export function requireMonth(text: string): Month {
  const month = parseMonth(text);
  if (month === null) throw new ConfigError(`--month ${text}: expected a month from 1970-01 to 2148-12, as 2026-11`);
  return month;
}
