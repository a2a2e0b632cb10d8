import type { QuotaUpdates } from '../billing/quota-updates.ts';

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
