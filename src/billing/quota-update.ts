/**
 * What is left of one subscriber's quota: absolute, so the last one wins. Keyed by subscriber and plan; a consumer keeps
 * the one with the highest (`periodStart`, `version`).
 */
export interface QuotaUpdate {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  planId: string;
  planVersion: number;
  /** First day of the statistics period in the plan's time zone, days since 1970-01-01. */
  periodStart: number;
  quotaOctets: number;
  usedOctets: number;
  remainingOctets: number;
  /** The highest of the plan's notify thresholds that the use has reached, in basis points; 0 below all of them. */
  thresholdReached: number;
  /** Records booked in the lane up to and with the batch that this update is derived from; grows with every batch. */
  version: number;
  topic: string;
  partition: number;
  /** The record that moved the counter last. */
  offset: number;
}
