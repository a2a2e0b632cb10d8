import type { RecordBatchError, RecordBatchErrorCode } from '../platform/kafka/record-batch-error.ts';

export type SourceErrorCode =
  | 'file_not_found'
  | 'file_unreadable'
  | 'unknown_format'
  | 'source_changed'
  | 'same_file_twice'
  | 'records_lost'
  | 'topic_recreated'
  | 'kafka_unavailable'
  | 'kafka_refused'
  | 'topic_missing'
  | RecordBatchErrorCode;

export interface SourceErrorOptions {
  /** The file, or the topic or topic-partition, that it is about; null if it is about the source as a whole. */
  path: string | null;
  /** Whether the same call may succeed later with nothing changed by hand. */
  canRetry?: boolean;
  cause?: unknown;
}

/** The source cannot continue. The message says what is wrong with what, and what to do about it. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly code: SourceErrorCode;
  readonly path: string | null;
  readonly canRetry: boolean;

  constructor(code: SourceErrorCode, message: string, { path, canRetry = false, cause }: SourceErrorOptions) {
    super(message, { cause });
    this.code = code;
    this.path = path;
    this.canRetry = canRetry;
  }
}

const UNREADABLE: ReadonlySet<string> = new Set<RecordBatchErrorCode>([
  'codec_unknown',
  'batch_damaged',
  'batch_too_large',
]);

/** The error of a record batch that cannot be read, with the partition and the offset that it begins at. */
export function unreadableBatch(
  partition: string,
  { offset, error }: { offset: number; error: RecordBatchError },
): SourceError {
  const message = `${partition}: the record batch at offset ${offset} ${error.message}; all records before it are booked`;
  return new SourceError(error.code, message, { path: partition, cause: error });
}

/** Whether the source came to what it cannot read: what it has handed over before that is good. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof SourceError && UNREADABLE.has(error.code);
}
