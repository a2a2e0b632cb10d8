/** What an invariant is checked with: the store alone, the records of the source read again, or the published quota updates. */
type Needs = 'store' | 'records' | 'quota updates';

/**
 * What must hold of every journal, after any failure (design section 3). Verdicts, metrics and the table in
 * docs/concepts/exactly-once.md have all of them.
 */
export const INVARIANTS = {
  chain: {
    needs: 'store',
    holds: 'every batch extends the one before it: no record is skipped, none is booked twice',
  },
  counts: {
    needs: 'store',
    holds: 'read = charged + not sponsored + duplicate + rejected, and the rows are as many as the batch says',
  },
  digest: {
    needs: 'store',
    holds: 'every batch’s digest follows from its rows',
  },
  strays: {
    needs: 'store',
    holds: 'no row is outside of a batch',
  },
  facts: {
    needs: 'store',
    holds:
      'entries, campaign facts, closings, corrections, recyclings and key states are numbered without a gap, each number once, up to the last one that is named, and have the content that they were booked with',
  },
  corrections: {
    needs: 'store',
    holds:
      'every correction reverses the current charge, and charges the same octets again; one without the other is of a correction that read the source',
  },
  catalogues: {
    needs: 'store',
    holds: 'every catalogue that a batch or a correction names is kept, with the document that its hash is of',
  },
  monthly_terms: {
    needs: 'store',
    holds:
      'every flat fee, volume rebate and shortfall that a closing posted equals a second computation from its terms and charges',
  },
  campaigns: {
    needs: 'store',
    holds: 'no batch charges a campaign that is paused, over a cap or for others, by the facts that the batch names',
  },
  duplicates: {
    needs: 'store',
    holds: 'no record is charged twice: the same node, number and content, in any lane or log',
  },
  accounts: {
    needs: 'store',
    holds: 'no account was counted in two lanes in one period of a quota by account',
  },
  source: {
    needs: 'records',
    holds:
      'every batch read the records that the source has in its offsets: all of them, each once, with the same content',
  },
  charges: {
    needs: 'records',
    holds:
      'every row repeats its record, and every outcome, counter and charge equals a second computation from the source',
  },
  corrected_charges: {
    needs: 'records',
    holds:
      'every charge of a correction, and everything that it left as it was, equals a second computation with the catalogue that it names',
  },
  quotas: {
    needs: 'quota updates',
    holds: 'a consumer of the quota updates has the remaining quotas of the journal',
  },
} as const satisfies Record<string, { needs: Needs; holds: string }>;
export type Invariant = keyof typeof INVARIANTS;

/** Returns the invariants that an audit gives a verdict on, in the order of the list: what can be checked, and all that faults were found of. */
export function invariantsOf(available: readonly Needs[], found: ReadonlyMap<Invariant, number>): Invariant[] {
  const names = Object.keys(INVARIANTS) as Invariant[];
  return names.filter((name) => available.includes(INVARIANTS[name].needs) || found.has(name));
}

/** A broken invariant, and the batch that shows it; `laneSequence` 0: no particular batch. */
export interface AuditFault {
  invariant: Invariant;
  lane: string;
  laneSequence: number;
  message: string;
}
