import type { Facts } from '../../rating/rules.ts';
import type { BatchRow, JournalEvidence } from '../audit/evidence.ts';

type MakeRules<T> = (canonicalJson: string, facts: Facts) => T;

/**
 * Returns the rules that a batch was rated with: its catalogue, and the facts that it names. Consecutive batches mostly name
 * the same.
 */
export function rulesByBatch<T>(
  evidence: Pick<JournalEvidence, 'catalogue' | 'suspendedAsOf' | 'closedAsOf'>,
  make: MakeRules<T>,
): (batch: BatchRow) => Promise<T> {
  const known = new Map<string, T>();
  return async ({ catalogueHash, numbers: { suspension_number, closing_number } }) => {
    const key = `${catalogueHash} ${suspension_number} ${closing_number}`;
    let rules = known.get(key);
    if (rules === undefined) {
      const suspensions = { sponsorIds: await evidence.suspendedAsOf(suspension_number), number: suspension_number };
      const closings = { lastClosed: await evidence.closedAsOf(closing_number), number: closing_number };
      rules = make(await evidence.catalogue(catalogueHash), { suspensions, closings });
      known.set(key, rules);
    }
    return rules;
  };
}
