export type StoreErrorCode =
  | 'store_in_use'
  | 'store_missing'
  | 'store_not_a_directory'
  | 'store_not_writable'
  | 'store_unreachable'
  | 'store_refused'
  | 'store_full'
  | 'store_damaged'
  | 'store_broken'
  | 'batch_fenced'
  | 'journal_restored'
  | 'pseudonym_key_replaced';

/** The journal's store could not do what was asked. `canRetry`: the same call may go through later. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly canRetry: boolean;

  constructor(code: StoreErrorCode, message: string, options: { cause?: unknown; canRetry?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.name = 'StoreError';
    this.code = code;
    this.canRetry = options.canRetry ?? false;
  }
}
