export type RecordBatchErrorCode = 'codec_unknown' | 'batch_damaged' | 'batch_too_large';

/** A record batch cannot be read. The message continues "the record batch"; its place is added by its reader. */
export class RecordBatchError extends Error {
  override readonly name = 'RecordBatchError';
  readonly canRetry = false;
  readonly code: RecordBatchErrorCode;

  constructor(code: RecordBatchErrorCode, message: string, { cause }: { cause?: unknown } = {}) {
    super(message, { cause });
    this.code = code;
  }
}
