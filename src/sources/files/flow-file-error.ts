import { CdrFileError } from '../cdr/cdr-file-header.ts';
import { SourceError } from '../source-error.ts';
import { AvroContainerError } from './avro-container.ts';

/** The operating system's codes of faults that may pass by themselves. */
const TRANSIENT = new Set(['EAGAIN', 'EBUSY', 'EIO', 'EMFILE', 'ENFILE', 'ESTALE', 'ETIMEDOUT']);

/** Says of anything that went wrong while a file was read which file it was, what it was, and what to do. */
export function flowFileError(path: string, cause: unknown): SourceError {
  if (cause instanceof SourceError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOENT') {
    return new SourceError('file_not_found', `${path}: there is no such file or directory; check the path`, {
      path,
      cause,
    });
  }
  const canRetry = TRANSIENT.has(code);
  return new SourceError('file_unreadable', `${path}: ${reasonOf(code, cause)}`, { path, canRetry, cause });
}

function reasonOf(code: string, cause: unknown): string {
  if (code === 'ELOOP') return 'is a link that leads back to itself; check the path';
  if (code === 'ENOTDIR') return 'a part of the path is no directory; check the path';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user; change its permissions';
  if (code === 'Z_BUF_ERROR') return 'the gzip data ends early; fetch or write the file again';
  if (code.startsWith('Z_')) return 'is no gzip data or damaged; fetch or write the file again, or drop the ending .gz';
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof AvroContainerError) return `${message}; write the file again, or name its true format`;
  if (cause instanceof CdrFileError) {
    return `${message}; fetch the file again, whole, with its TS 32.297 headers, or name its true format`;
  }
  return message;
}
