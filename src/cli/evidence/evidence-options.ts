import { InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { ConfigError } from '../../platform/config/config-error.ts';

export interface EvidenceOptions {
  config: string;
  feed?: string;
}

/** Exit code of a list that is refused by a limit of its feed. */
export const REFUSED_EXIT_CODE = 3;

const MAX_NAME_LENGTH = 64;
const time = z.iso.datetime({ offset: true });

/** Returns an option's instant in milliseconds since 1970. */
export function timeOption(text: string): number {
  if (!time.safeParse(text).success) {
    throw new InvalidArgumentError('Expected a time with its offset, as 2026-01-31T00:00:00Z.');
  }
  return Date.parse(text);
}

/** Returns the name of a person as files and output may show it. */
export function personOf(name: string): string {
  const trimmed = name.normalize('NFC').trim();
  if (trimmed === '' || trimmed.length > MAX_NAME_LENGTH || /\p{C}/u.test(trimmed)) {
    throw new ConfigError(`--by: expected the name of a person, at most ${MAX_NAME_LENGTH} characters`);
  }
  return trimmed;
}

/** The exit code becomes this one, if it is higher than what it is. */
export function raiseExitCode(code: number): void {
  process.exitCode = Math.max(Number(process.exitCode ?? 0), code);
}
