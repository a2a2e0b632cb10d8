import type { DocumentPath } from '../yaml-document/document-fault.ts';
import type { ConfigDocument } from './config-schema.ts';

export interface RuleFault {
  path: DocumentPath;
  message: string;
}

/** Holds the fields of a configuration against each other. All faults at once. */
export function configRuleFaults(config: ConfigDocument): RuleFault[] {
  return [...sourceFaults(config), ...storeFaults(config), ...quotaUpdateFaults(config), ...limitFaults(config)];
}

function sourceFaults({ source: { files, format, cdr, goflow2, kafka } }: ConfigDocument): RuleFault[] {
  const faults: RuleFault[] = [];
  const fault = (path: DocumentPath, message: string) => faults.push({ path: ['source', ...path], message });
  if (files !== undefined && kafka !== undefined) fault([], 'name either files or kafka, not both');
  if (files === undefined && kafka === undefined) fault([], 'is missing: name files or kafka');
  if (format !== undefined && files === undefined) fault(['format'], 'has a meaning with files only');
  if (cdr !== undefined && files === undefined) fault(['cdr'], 'has a meaning with files only');
  if (goflow2 !== undefined && files === undefined) fault(['goflow2'], 'has a meaning with files only');
  if (kafka === undefined) return faults;
  const { valueFormat, avro, ssl, sessionTimeoutMs, heartbeatIntervalMs } = kafka;
  if (valueFormat === 'avro' && avro.header === 'confluent' && Object.keys(avro.schemas).length === 0) {
    fault(['kafka', 'avro', 'schemas'], 'is missing: records with a Confluent header need the schema of each id');
  }
  for (const id of Object.keys(avro.schemas)) {
    if (Number(id) >= 2 ** 32) fault(['kafka', 'avro', 'schemas', id], 'expected a schema id below 2^32');
  }
  if (typeof ssl === 'object' && (ssl.cert === undefined) !== (ssl.key === undefined)) {
    fault(['kafka', 'ssl'], 'cert and key go together');
  }
  if (heartbeatIntervalMs * 3 > sessionTimeoutMs) {
    const limit = Math.floor(sessionTimeoutMs / 3);
    fault(
      ['kafka', 'heartbeatIntervalMs'],
      `expected at most ${limit}, a third of sessionTimeoutMs, got ${heartbeatIntervalMs}`,
    );
  }
  return faults;
}

function storeFaults({ store }: ConfigDocument): RuleFault[] {
  if (store.dir !== undefined && store.url !== undefined) {
    return [{ path: ['store'], message: 'name either dir or url, not both' }];
  }
  if (store.url !== undefined) return [];
  if (store.dir === undefined) return [{ path: ['store'], message: 'is missing: name dir or url' }];
  return (['database', 'username', 'passwordFile', 'cluster'] as const)
    .filter((field) => store[field] !== undefined)
    .map((field) => ({ path: ['store', field], message: 'has a meaning with url only' }));
}

function quotaUpdateFaults({ quotaUpdates, source, store }: ConfigDocument): RuleFault[] {
  const { topic, file } = quotaUpdates ?? {};
  if (topic !== undefined && file !== undefined) {
    return [{ path: ['quotaUpdates'], message: 'name either topic or file, not both' }];
  }
  if (topic !== undefined && source.kafka === undefined) {
    return [{ path: ['quotaUpdates', 'topic'], message: 'a topic needs source.kafka; name a file' }];
  }
  const hasDefault = source.kafka !== undefined || store.dir !== undefined;
  if (topic === undefined && file === undefined && source.files !== undefined && !hasDefault) {
    return [{ path: ['quotaUpdates', 'file'], message: 'is missing: files with a ClickHouse server need it' }];
  }
  return [];
}

function limitFaults({ limits }: ConfigDocument): RuleFault[] {
  if (limits.rejectionPayloadOctets <= limits.maxRecordOctets) return [];
  return [
    {
      path: ['limits', 'rejectionPayloadOctets'],
      message: `expected at most maxRecordOctets ${limits.maxRecordOctets}, got ${limits.rejectionPayloadOctets}`,
    },
  ];
}
