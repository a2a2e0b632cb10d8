export type SpoolErrorCode = 'spool_unreadable' | 'spool_unwritable';

/** Usage cannot be kept: a proxy that cannot count what passes lets nothing pass. */
export class SpoolError extends Error {
  readonly code: SpoolErrorCode;
  readonly canRetry = false;

  constructor(code: SpoolErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'SpoolError';
    this.code = code;
  }
}
