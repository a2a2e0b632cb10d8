import type { DocumentPath } from '../../formats/document-fault.ts';
import { MIB } from './config-fields.ts';
import type { ConfigDocument } from './config-schema.ts';

export interface RuleFault {
  path: DocumentPath;
  message: string;
}

/** Compares the fields of a configuration with each other. Returns all faults at once. */
export function configRuleFaults(config: ConfigDocument): RuleFault[] {
  return [
    ...sourceFaults(config),
    ...connectionFaults(config),
    ...storeFaults(config),
    ...engineFaults(config),
    ...batchFaults(config),
    ...quotaUpdateFaults(config),
    ...limitFaults(config),
  ];
}

const OF_FILES = ['format', 'final', 'rewritten', 'cdr', 'goflow2'] as const;

function sourceFaults({ source }: ConfigDocument): RuleFault[] {
  const { files, kafka } = source;
  const faults: RuleFault[] = [];
  const fault = (path: DocumentPath, message: string) => faults.push({ path: ['source', ...path], message });
  if (files !== undefined && kafka !== undefined) fault([], 'name either files or kafka, not both');
  if (files === undefined && kafka === undefined) fault([], 'is missing: name files or kafka');
  for (const name of OF_FILES) {
    if (source[name] !== undefined && files === undefined) fault([name], 'has a meaning with files only');
  }
  if (kafka === undefined) return faults;
  const { valueFormat, avro, sessionTimeoutMs, heartbeatIntervalMs } = kafka;
  const knowsIds = Object.keys(avro.schemas).length > 0 || avro.registry !== undefined;
  if (valueFormat === 'avro' && avro.header === 'confluent' && !knowsIds) {
    const message = 'is missing: records with a Confluent header need the schema of each id, or a registry';
    fault(['kafka', 'avro', 'schemas'], message);
  }
  if (
    avro.registry !== undefined &&
    (valueFormat === 'json' || avro.header === 'bare' || avro.header === 'single-object')
  ) {
    fault(['kafka', 'avro', 'registry'], 'has a meaning only with Avro records that have a Confluent header');
  }
  for (const id of Object.keys(avro.schemas)) {
    if (Number(id) >= 2 ** 32) fault(['kafka', 'avro', 'schemas', id], 'expected a schema id below 2^32');
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

/** Of everything that is connected to: certificates where there is no TLS, and the fields of each way to log in. */
function connectionFaults({ source: { kafka }, store }: ConfigDocument): RuleFault[] {
  const faults: RuleFault[] = [];
  const certificates = (path: DocumentPath, tls: object | undefined, url: string | undefined) => {
    if (tls === undefined || url === undefined || /^https:/i.test(url)) return;
    faults.push({ path, message: 'has a meaning with https:// only' });
  };
  certificates(['store', 'tls'], store.tls, store.url);
  if (kafka === undefined) return faults;
  const { sasl, avro } = kafka;
  certificates(['source', 'kafka', 'avro', 'registry', 'tls'], avro.registry?.tls, avro.registry?.url);
  if (sasl === undefined) return faults;
  const [needed, other] =
    sasl.mechanism === 'oauthbearer' ? [TOKEN_FIELDS, PASSWORD_FIELDS] : [PASSWORD_FIELDS, TOKEN_FIELDS];
  const path = (field: string): DocumentPath => ['source', 'kafka', 'sasl', field];
  for (const field of needed.must) {
    if (sasl[field] === undefined)
      faults.push({ path: path(field), message: `is missing: ${sasl.mechanism} needs it` });
  }
  for (const field of [...other.must, ...other.may]) {
    if (sasl[field] !== undefined) {
      faults.push({ path: path(field), message: `has no meaning with ${sasl.mechanism}` });
    }
  }
  return faults;
}

const PASSWORD_FIELDS = { must: ['username'], may: ['passwordFile'] } as const;
const TOKEN_FIELDS = { must: ['tokenUrl', 'clientId'], may: ['clientSecretFile', 'scope', 'tls'] } as const;

function storeFaults({ store }: ConfigDocument): RuleFault[] {
  if (store.dir !== undefined && store.url !== undefined) {
    return [{ path: ['store'], message: 'name either dir or url, not both' }];
  }
  if (store.url !== undefined) return [];
  if (store.dir === undefined) return [{ path: ['store'], message: 'is missing: name dir or url' }];
  return (['database', 'username', 'passwordFile', 'tls', 'cluster'] as const)
    .filter((field) => store[field] !== undefined)
    .map((field) => ({ path: ['store', field], message: 'has a meaning with url only' }));
}

/** Files are one lane, and an embedded store is one thread's. */
function engineFaults({ engine: { threads }, source, store, quotaUpdates }: ConfigDocument): RuleFault[] {
  if (threads === 1) return [];
  const fault = (why: string) => [{ path: ['engine', 'threads'], message: `expected 1, got ${threads}: ${why}` }];
  if (source.kafka === undefined) return fault('threads share the partitions of a topic; name one in source.kafka');
  if (store.url === undefined) return fault('an embedded store has one writer; name a ClickHouse server in store.url');
  if (quotaUpdates?.file !== undefined)
    return fault('one thread writes a file of quota updates; name quotaUpdates.topic');
  return [];
}

/** What an engine charges for a batch before its first record (`engine/batch-memory.ts`): with less it has no memory for one. */
const MIN_THREAD_BYTES = MIB;

function batchFaults({ engine: { threads }, batch: { maxTotalBytes } }: ConfigDocument): RuleFault[] {
  const least = threads * MIN_THREAD_BYTES;
  if (maxTotalBytes >= least) return [];
  const message = `expected at least ${least}, 1 MiB for each of ${threads} threads, got ${maxTotalBytes}; raise it, or lower engine.threads`;
  return [{ path: ['batch', 'maxTotalBytes'], message }];
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
  if (limits.rejectionPayloadBytes <= limits.maxRecordBytes) return [];
  return [
    {
      path: ['limits', 'rejectionPayloadBytes'],
      message: `expected at most maxRecordBytes ${limits.maxRecordBytes}, got ${limits.rejectionPayloadBytes}`,
    },
  ];
}
