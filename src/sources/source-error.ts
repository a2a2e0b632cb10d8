export type SourceErrorCode =
  | 'file_not_found'
  | 'file_unreadable'
  | 'unknown_format'
  | 'file_shrunk'
  | 'same_file_twice'
  | 'records_lost'
  | 'topic_recreated'
  | 'kafka_unavailable'
  | 'kafka_refused'
  | 'topic_missing';

export interface SourceErrorOptions {
  /** The file, or the topic or topic-partition, that it is about; null if it is about the source as a whole. */
  path: string | null;
  /** Whether the same call may succeed later with nothing changed by hand. */
  canRetry?: boolean;
  cause?: unknown;
}

/** The source cannot go on. The message says what is wrong with what, and what to do about it. */
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
