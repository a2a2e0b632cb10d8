import { CommanderError } from 'commander';
import { ConfigError } from '../platform/config-error.ts';
import { withoutNumbers } from '../platform/redaction.ts';

/** Exit codes: 0 done, 1 could not go on, 2 what the user gave is wrong and nothing was started. */
export function reportFailure(error: unknown): number {
  // Help and version are an end like this, too. What was wrong with the options is printed already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (isInfrastructureError(error)) {
    process.stderr.write(`${withoutNumbers(error.message)} [${error.code}]\n`);
    return WRONG_INPUT.has(error.code) ? 2 : 1;
  }
  process.stderr.write(`${withoutNumbers(String(error instanceof Error ? error.stack : error))}\n`);
  return 1;
}

const WRONG_INPUT = new Set([
  'file_not_found',
  'file_unreadable',
  'unknown_format',
  'same_file_twice',
  'store_missing',
  'topic_missing',
]);

function isInfrastructureError(error: unknown): error is Error & { code: string; canRetry: boolean } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'canRetry' in error;
}
