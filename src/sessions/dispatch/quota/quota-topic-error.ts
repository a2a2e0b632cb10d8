/** The topic of quota updates cannot be read. */
export class QuotaTopicError extends Error {
  readonly code: 'topic_missing' | 'kafka_unreachable';
  readonly canRetry: boolean;

  constructor(code: QuotaTopicError['code'], message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'QuotaTopicError';
    this.code = code;
    this.canRetry = code === 'kafka_unreachable';
  }
}
