import type { Facts } from '../../rating/rules.ts';
import type { BatchRow, JournalEvidence } from './evidence.ts';

/** Returns the facts that a batch names: what was suspended and closed when it was rated. Consecutive batches mostly name the same. */
export function factsByBatch(
  evidence: Pick<JournalEvidence, 'suspendedAsOf' | 'closedAsOf'>,
): (batch: Pick<BatchRow, 'numbers'>) => Promise<Facts> {
  const known = new Map<string, Facts>();
  return async ({ numbers: { suspension_number, closing_number } }) => {
    const key = `${suspension_number} ${closing_number}`;
    let facts = known.get(key);
    if (facts === undefined) {
      const suspensions = { sponsorIds: await evidence.suspendedAsOf(suspension_number), number: suspension_number };
      const closings = { lastClosed: await evidence.closedAsOf(closing_number), number: closing_number };
      facts = { suspensions, closings };
      known.set(key, facts);
    }
    return facts;
  };
}
