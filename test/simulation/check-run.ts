import { auditJournal } from '../../src/assurance/audit/audit.ts';
import { auditAccounts } from '../../src/assurance/audit/audit-accounts.ts';
import { auditQuotas } from '../../src/assurance/audit/audit-quotas.ts';
import { auditSource } from '../../src/assurance/audit/audit-source.ts';
import type { AuditFault, Invariant } from '../../src/assurance/audit/invariants.ts';
import type { BatchRow, JournalEvidence, WalkedBatch } from '../../src/journal/evidence/evidence.ts';
import { NO_PROOF } from '../../src/platform/kafka/log-record.ts';
import { recordsOf } from '../../src/platform/kafka/patches/patch-record-sets.ts';
import { decodeJson } from '../../src/rating/decode/decode-json.ts';
import { type Place, PSEUDONYM_KEY } from './engine-slot.ts';
import { messageOf } from './simulated-consumer.ts';
import { SimulatedEvidence } from './simulated-evidence.ts';
import { MAX_RECORD_OCTETS } from './simulated-source.ts';
import type { SimulatedTopic } from './simulated-topic.ts';
import { SIMULATED_RULES } from './simulated-traffic.ts';

/**
 * A violation. Beside the invariants of every journal: `liveness`, the run does not end; `unexpected`, an engine ended with
 * an unexpected error; `reported`, a batch that an engine reported as booked is not in the journal; `late`, an update that says
 * that a quota is used up or a threshold reached was not published with its batch; `gaps`, records were booked as lost that were
 * not.
 */
export interface Finding {
  invariant: Invariant | 'liveness' | 'unexpected' | 'reported' | 'late' | 'gaps';
  message: string;
}

/** Checks a finished run, by the invariants of `audit`. */
export async function checkRun(place: Place): Promise<Finding[]> {
  const { topic, store, quotas, catalogues, duplicateWindowRecords } = place;
  const evidence = new SimulatedEvidence(store.journal);
  const options = {
    pseudonymKey: PSEUDONYM_KEY,
    recordRules: SIMULATED_RULES,
    duplicateWindowRecords,
    rejectionPayloadBytes: 100,
  };
  const documents = catalogues.map(({ canonicalJson }) => canonicalJson);
  const findings = [
    ...(await all(auditJournal(evidence))),
    ...(await all(auditAccounts(evidence))),
    ...(await all(auditSource(evidence, walk(evidence, topic), options))),
    ...(await all(auditQuotas(evidence, quotas.last, documents))),
    ...(await all(auditQuotas(evidence, quotas.highest, documents))),
    ...gapFindings(await evidence.batches(), topic),
  ];
  return findings;
}

/** Yields each batch with the records that the topic had in its offsets, whether retention has deleted them since or not. */
async function* walk(evidence: JournalEvidence, topic: SimulatedTopic): AsyncGenerator<WalkedBatch> {
  for (const batch of await evidence.batches()) {
    if (batch.gapReason !== '') continue;
    const { numbers, lastOffset } = batch;
    const history = topic.history.get(`${batch.topic}-${batch.partition}`) ?? [];
    const records = history
      .filter(({ offset }) => offset > numbers.prev && offset <= lastOffset)
      .flatMap((record) => [...recordsOf([messageOf(record)], 0, MAX_RECORD_OCTETS)]);
    yield { batch, records, decode: decodeJson, sourceProof: NO_PROOF };
  }
}

function gapFindings(batches: readonly BatchRow[], topic: SimulatedTopic): Finding[] {
  const findings: Finding[] = [];
  for (const { topic: name, partition, lastOffset, gapReason } of batches) {
    const deletedBelow = topic.deletedBelow.get(`${name}-${partition}`) ?? 0;
    const wasRecreated = Number(name.split('~')[1] ?? 1) <= topic.incarnation && name.includes('~');
    const isTrue = lastOffset < deletedBelow || (gapReason === 'topic_recreated' && wasRecreated && lastOffset < 0);
    if (gapReason === '' || isTrue) continue;
    findings.push({ invariant: 'gaps', message: `${name}-${partition} up to ${lastOffset} was not lost` });
  }
  return findings;
}

async function all(faults: AsyncGenerator<AuditFault>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const { invariant, lane, laneSequence, message } of faults) {
    findings.push({ invariant, message: lane === '' ? message : `${lane}@${laneSequence}: ${message}` });
  }
  return findings;
}
