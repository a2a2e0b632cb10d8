import { type KeyRename, renamesUnder } from './renamed-keys.ts';
import { TLS_RENAMES } from './tls-schema.ts';

/** Keys of `zerorate.yaml` that had other names in the version before. */
export const ENGINE_RENAMES: readonly KeyRename[] = [
  { from: ['reload', 'everyMs'], to: ['reload', 'intervalMs'] },
  { from: ['credit', 'checkEveryMs'], to: ['credit', 'checkIntervalMs'] },
  { from: ['sequences', 'lookEveryMs'], to: ['sequences', 'checkIntervalMs'] },
  { from: ['limits', 'maxFutureMs'], to: ['limits', 'maxFutureSkewMs'] },
  { from: ['health', 'lingerMs'], to: ['health', 'exitDelayMs'] },
  { from: ['source', 'kafka', 'maxWaitMs'], to: ['source', 'kafka', 'fetchWaitTimeoutMs'] },
  { from: ['source', 'kafka', 'maxOctetsPerPartition'], to: ['source', 'kafka', 'maxBytesPerPartition'] },
  { from: ['source', 'kafka', 'maxBatchOctets'], to: ['source', 'kafka', 'maxBatchBytes'] },
  { from: ['source', 'kafka', 'avro', 'idOctets'], to: ['source', 'kafka', 'avro', 'idBytes'] },
  { from: ['batch', 'maxOctets'], to: ['batch', 'maxBytes'] },
  { from: ['limits', 'maxRecordOctets'], to: ['limits', 'maxRecordBytes'] },
  { from: ['limits', 'rejectionPayloadOctets'], to: ['limits', 'rejectionPayloadBytes'] },
  ...renamesUnder(['source', 'kafka'], TLS_RENAMES),
  ...renamesUnder(['source', 'kafka', 'sasl'], TLS_RENAMES),
  ...renamesUnder(['source', 'kafka', 'avro', 'registry'], TLS_RENAMES),
  ...renamesUnder(['store'], TLS_RENAMES),
];
