import type { BatchRow, JournalEvidence } from '../../journal/evidence/evidence.ts';
import { factsByBatch } from '../../journal/evidence/facts-by-batch.ts';
import type { Facts } from '../../rating/rules.ts';

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
  const factsOf = factsByBatch(evidence);
  return async (batch) => {
    const { catalogueHash, numbers } = batch;
    const key = `${catalogueHash} ${numbers.suspension_number} ${numbers.closing_number}`;
    let rules = known.get(key);
    if (rules === undefined) {
      rules = make(await evidence.catalogue(catalogueHash), await factsOf(batch));
      known.set(key, rules);
    }
    return rules;
  };
}
