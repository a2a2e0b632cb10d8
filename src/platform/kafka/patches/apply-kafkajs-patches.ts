import { requirePatchedKafkajsVersion } from './kafkajs-internals.ts';
import { patchConnectionAnswers } from './patch-connection-answers.ts';
import { patchEncodedRecords } from './patch-encoded-records.ts';
import { patchAbortedTransactions, patchRecordSets } from './patch-record-sets.ts';

let isApplied = false;

/**
 * Changes the kafkajs of this thread as `README.md` says, once. Throws a KafkajsPatchError where another version is installed
 * than the patches were written for.
 */
export function applyKafkajsPatches(): void {
  requirePatchedKafkajsVersion();
  if (isApplied) return;
  patchAbortedTransactions();
  patchConnectionAnswers();
  patchEncodedRecords();
  patchRecordSets();
  isApplied = true;
}
