export type RecordBatchErrorCode = 'codec_unknown' | 'batch_damaged' | 'batch_too_large';

/** A record batch cannot be read. The message goes on from "the record batch"; where it lies is added by its reader. */
export class RecordBatchError extends Error {
  override readonly name = 'RecordBatchError';
  readonly canRetry = false;
  readonly code: RecordBatchErrorCode;

  constructor(code: RecordBatchErrorCode, message: string, { cause }: { cause?: unknown } = {}) {
    super(message, { cause });
    this.code = code;
  }
}
