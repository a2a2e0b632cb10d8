export type QuotaPublisherErrorCode =
  | 'kafka_unavailable'
  | 'kafka_refused'
  | 'topic_unusable'
  | 'file_unwritable'
  /** Another publisher has claimed the lane, or it is open what was published of it: it has to be claimed again. */
  | 'claim_lost';

/** Quota updates could not be made durable. What they tell stands in the journal, from where they are derived again. */
export class QuotaPublisherError extends Error {
  override readonly name = 'QuotaPublisherError';
  readonly code: QuotaPublisherErrorCode;
  /** Whether the same call may succeed later with nothing changed by hand. */
  readonly canRetry: boolean;

  constructor(code: QuotaPublisherErrorCode, message: string, options: { cause?: unknown; canRetry?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.canRetry = options.canRetry ?? false;
  }
}
