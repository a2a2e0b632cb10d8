import type { BatchRow, JournalEvidence } from '../../journal/evidence/evidence.ts';
import { type FactEvidence, factsByBatch } from '../../journal/evidence/facts-by-batch.ts';
import type { Facts } from '../../rating/rules.ts';

/** How rules are made of a catalogue, and changed to other facts: a catalogue may be large, and opt-ins come every second. */
export interface RuleMaker<T> {
  make(canonicalJson: string, facts: Facts): T;
  change(rules: T, facts: Facts): T;
}

/**
 * Returns the rules that a batch was rated with: its catalogue, and the facts that it names. Consecutive batches mostly name
 * the same.
 */
export function rulesByBatch<T>(
  evidence: Pick<JournalEvidence, 'catalogue'> & FactEvidence,
  { make, change }: RuleMaker<T>,
): (batch: BatchRow) => Promise<T> {
  const known = new Map<string, { rules: T; key: string }>();
  const factsOf = factsByBatch(evidence);
  return async (batch) => {
    const { catalogueHash, numbers } = batch;
    const key = `${numbers.suspension_number} ${numbers.closing_number} ${numbers.campaign_number}`;
    const last = known.get(catalogueHash);
    if (last?.key === key) return last.rules;
    const facts = await factsOf(batch);
    const rules = last === undefined ? make(await evidence.catalogue(catalogueHash), facts) : change(last.rules, facts);
    known.set(catalogueHash, { rules, key });
    return rules;
  };
}
