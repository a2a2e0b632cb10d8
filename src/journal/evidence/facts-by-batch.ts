import type { Facts } from '../../rating/rules.ts';
import type { BatchRow, JournalEvidence } from './evidence.ts';

/** What of the evidence says which facts a batch was rated with. */
export type FactEvidence = Pick<JournalEvidence, 'suspendedAsOf' | 'closedAsOf' | 'campaignsAsOf'>;

/**
 * Returns the facts that a batch names: what was suspended and closed, and which campaigns were in force, when it was rated.
 * Consecutive batches mostly name the same.
 */
export function factsByBatch(evidence: FactEvidence): (batch: Pick<BatchRow, 'numbers'>) => Promise<Facts> {
  const suspensionsAsOf = remembered(async (number) => ({ sponsorIds: await evidence.suspendedAsOf(number), number }));
  const closingsAsOf = remembered(async (number) => ({ lastClosed: await evidence.closedAsOf(number), number }));
  return async ({ numbers: { suspension_number, closing_number, campaign_number } }) => ({
    suspensions: await suspensionsAsOf(suspension_number),
    closings: await closingsAsOf(closing_number),
    // The evidence remembers these itself: an audience may be large.
    campaigns: await evidence.campaignsAsOf(campaign_number),
  });
}

function remembered<T>(read: (number: number) => Promise<T>): (number: number) => Promise<T> {
  const known = new Map<number, T>();
  return async (number) => {
    const value = known.get(number) ?? (await read(number));
    known.set(number, value);
    return value;
  };
}
