import type { JournalEvidence } from '../../journal/evidence/evidence.ts';
import type { AuditFault } from './invariants.ts';

/** Checks that each account was counted in one lane in each period: lanes count by themselves, so that in two it has its quota twice. */
export async function* auditAccounts(evidence: Pick<JournalEvidence, 'splitAccounts'>): AsyncGenerator<AuditFault> {
  for await (const { holder, quotaId, periodStart, lanes } of evidence.splitAccounts()) {
    const day = new Date(periodStart * 86_400_000).toISOString().slice(0, 10);
    const message =
      `${quotaId} of ${holder} since ${day} was counted in ${lanes.length} lanes, each by itself: ${lanes.join(', ')}; ` +
      'key the topic by accountId';
    yield { invariant: 'accounts', lane: '', laneSequence: 0, message };
  }
}
