import { type Command, InvalidArgumentError } from 'commander';
import { dayText, parseDay } from '../finance/calendar-day.ts';
import type { PeriodRange } from '../finance/corrections/rerate-lane.ts';
import { ConfigError } from '../platform/config/config-error.ts';

export interface RangeOptions {
  from: number;
  to: number;
}

/** The options of a command that looks at the statistics periods that begin in a range of days. */
export function withRangeOptions(command: Command): Command {
  return command
    .requiredOption('--from <day>', 'statistics periods that begin on this day or later, as 2026-10-01', day)
    .requiredOption('--to <day>', 'and before this one, as 2026-11-01', day);
}

/** The options of a command that looks at usage that began in a range of days. */
export function withUsageRangeOptions(command: Command): Command {
  return command
    .requiredOption('--from <day>', 'usage that began on this day (UTC) or later, as 2026-10-01', day)
    .requiredOption('--to <day>', 'and before this one, as 2026-11-01', day);
}

export function readRange({ from, to }: RangeOptions): PeriodRange {
  if (from < to) return { fromDay: from, toDay: to };
  throw new ConfigError(`--from ${dayText(from)} is not before --to ${dayText(to)}`);
}

/** Reads a day of an option, as days since 1970-01-01. */
export function day(text: string): number {
  const parsed = parseDay(text);
  if (parsed === null) throw new InvalidArgumentError('Expected a day from 1970 to 2149, as 2026-10-01.');
  return parsed;
}
