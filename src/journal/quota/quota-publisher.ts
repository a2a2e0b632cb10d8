import type { QuotaUpdateHead, QuotaUpdates } from '../../rating/quota/quota-updates.ts';

export type QuotaPublisherErrorCode =
  | 'kafka_unavailable'
  | 'kafka_refused'
  | 'topic_unusable'
  | 'file_unwritable'
  /** Another publisher has claimed the lane, or it is unknown what was published of it: it must be claimed again. */
  | 'claim_lost';

/** Quota updates could not be made durable. They are derived again from the journal. */
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

/** Where remaining quotas go. */
export interface QuotaPublisher {
  start(): Promise<void>;
  /**
   * From now on only this publisher speaks for the lane: what another one has not finished publishing will never arrive,
   * so that nothing older can come after what is published here.
   */
  claim(lane: string): Promise<void>;
  /** Resolves when the updates are durable. Rejects with `claim_lost` when the lane has to be claimed again first. */
  publish(lane: string, updates: QuotaUpdates): Promise<void>;
  stop(): Promise<void>;
}

/** The columns of `QuotaUpdates`, as they go from thread to thread: the memory goes along and is not copied. */
export type QuotaUpdateColumns = { heads: readonly QuotaUpdateHead[]; length: number } & Pick<
  QuotaUpdates,
  'head' | 'subscriber' | 'usedOctets' | 'remainingOctets' | 'thresholdReached' | 'offset'
>;

/** What the engine's thread asks the publisher's thread for. */
export type PublisherCall =
  | { name: 'start' | 'stop' }
  | { name: 'claim'; lane: string }
  | { name: 'publish'; lane: string; updates: QuotaUpdateColumns };

/** A call is answered under its number. */
export interface NumberedCall {
  number: number;
  call: PublisherCall;
}

/** A QuotaPublisherError in parts, or with no code a bug. */
export interface PublisherFault {
  code: QuotaPublisherErrorCode | null;
  message: string;
  canRetry: boolean;
  cause: unknown;
}

export type PublisherAnswer =
  | { number: number; fault: PublisherFault | null }
  | { level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string };
