import { CommanderError } from 'commander';
import { ConfigError } from '../platform/config/config-error.ts';
import { ListenError } from '../platform/network/listen-error.ts';
import { withoutNumbers } from '../platform/telemetry/redaction.ts';

/** An error of an address to listen on, with the configuration that names it; any other error as it is. */
export function namingFile(file: string, error: unknown): unknown {
  return error instanceof ListenError ? new ConfigError(`${file}: ${error.message}`) : error;
}

/** Exit codes: 0 done, 1 could not continue, 2 what the user gave is wrong and nothing was started. */
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
  if (isSystemError(error)) {
    process.stderr.write(`${withoutNumbers(systemMessage(error))} [${error.code}]\n`);
    return 1;
  }
  process.stderr.write(`${withoutNumbers(String(error instanceof Error ? error.stack : error))}\n`);
  return 1;
}

const WRONG_INPUT = new Set([
  'file_not_found',
  'file_unreadable',
  'unknown_format',
  'same_file_twice',
  'data_directory_unusable',
  'store_missing',
  'store_not_a_directory',
  'store_not_writable',
  'topic_missing',
]);

function isInfrastructureError(error: unknown): error is Error & { code: string; canRetry: boolean } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'canRetry' in error;
}

/** What the operating system refused, of a file that no part of the program has a word of its own for. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room on it',
  EDQUOT: 'the disk quota is used up; make room, or raise it',
  EROFS: 'the file system is mounted read-only; name a path on another one',
  EACCES: 'this user may not do that; change owner or permissions',
  EPERM: 'this user may not do that; change owner or permissions',
  ENOENT: 'there is no such file or directory; check the path',
  ENOTDIR: 'a part of the path is no directory; check the path',
  EISDIR: 'is a directory; name a file',
  EEXIST: 'is there already; name another path, or remove it',
  ELOOP: 'is a link that leads back to itself; check the path',
};

function systemMessage({ code = '', path, syscall, message }: NodeJS.ErrnoException): string {
  const remedy = REMEDIES[code];
  return remedy === undefined ? message : `${path ?? syscall}: ${remedy}`;
}
