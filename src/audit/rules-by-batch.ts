import type { BatchRow, JournalEvidence } from './evidence.ts';

type MakeRules<T> = (canonicalJson: string, suspendedSponsorIds: ReadonlySet<string>, suspensionNumber: number) => T;

/** The rules that a batch was rated with: its catalogue, and who was suspended. Batches in a row mostly name the same. */
export function rulesByBatch<T>(
  evidence: Pick<JournalEvidence, 'catalogue' | 'suspendedAsOf'>,
  make: MakeRules<T>,
): (batch: BatchRow) => Promise<T> {
  const known = new Map<string, T>();
  return async ({ catalogueHash, numbers: { suspension_number } }) => {
    const key = `${catalogueHash} ${suspension_number}`;
    let rules = known.get(key);
    if (rules === undefined) {
      const suspended = await evidence.suspendedAsOf(suspension_number);
      rules = make(await evidence.catalogue(catalogueHash), suspended, suspension_number);
      known.set(key, rules);
    }
    return rules;
  };
}
