/** What must hold of every journal, after any failure (design section 3). */
export const INVARIANTS = {
  chain: 'every batch extends the one before it: no record is skipped, none is booked twice',
  counts: 'read = charged + not sponsored + duplicate + rejected, and the rows are as many as the batch says',
  digest: 'every batch’s digest follows from its rows',
  strays: 'no row is outside of a batch',
  facts:
    'entries, campaign facts, closings, corrections and recyclings are numbered without a gap, each number once, and have the content that they were booked with',
  corrections:
    'every correction reverses the current charge, and charges the same octets again; one without the other is of a correction that read the source',
  monthly_terms:
    'every flat fee, volume rebate and shortfall that a closing posted equals a second computation from its terms and charges',
  campaigns: 'no batch charges a campaign that is paused, over a cap or for others, by the facts that the batch names',
  duplicates: 'no record is charged twice: the same node, number and content, in any lane or log',
  accounts: 'no account was counted in two lanes in one period of a quota by account',
  source:
    'every batch read the records that the source has in its offsets: all of them, each once, with the same content',
  charges:
    'every row repeats its record, and every outcome, counter and charge equals a second computation from the source',
  corrected_charges:
    'every charge of a correction, and everything that it left as it was, equals a second computation with the catalogue that it names',
  quotas: 'a consumer of the quota updates has the remaining quotas of the journal',
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** A broken invariant, and the batch that shows it; `laneSequence` 0: no particular batch. */
export interface AuditFault {
  invariant: Invariant;
  lane: string;
  laneSequence: number;
  message: string;
}
