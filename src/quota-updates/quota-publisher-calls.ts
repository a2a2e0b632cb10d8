import type { QuotaUpdateHead, QuotaUpdates } from '../billing/quota-updates.ts';
import type { QuotaPublisherErrorCode } from './quota-publisher-error.ts';

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
