import { resolve } from 'node:path';
import type { DocumentPath } from '../../formats/document-fault.ts';
import type { ConfigDocument } from './config-schema.ts';

const SCHEMAS: DocumentPath = ['source', 'kafka', 'avro', 'schemas'];

/** Fields that hold a path; those of `source.files` and of the Avro schemas are lists of them. */
const PATH_FIELDS: readonly (readonly string[])[] = [
  ['catalogue'],
  ['source', 'cdr', 'subscribers'],
  ['source', 'goflow2', 'terminals'],
  ['source', 'kafka', 'avro', 'bareSchema'],
  ...tlsFields(['source', 'kafka']),
  ['source', 'kafka', 'sasl', 'passwordFile'],
  ['source', 'kafka', 'sasl', 'clientSecretFile'],
  ...tlsFields(['source', 'kafka', 'sasl']),
  ['source', 'kafka', 'avro', 'registry', 'passwordFile'],
  ...tlsFields(['source', 'kafka', 'avro', 'registry']),
  ['store', 'dir'],
  ['store', 'passwordFile'],
  ...tlsFields(['store']),
  ['quotaUpdates', 'file'],
  ['pseudonymKey', 'file'],
  ['signingKey', 'file'],
];

/** Makes every path absolute. `baseOf` names the directory that a field's path is relative to. */
export function resolveConfigPaths(document: ConfigDocument, baseOf: (path: DocumentPath) => string): ConfigDocument {
  const resolved = structuredClone(document);
  const { files, kafka } = resolved.source;
  if (files !== undefined) resolved.source.files = files.map((file) => resolve(baseOf(['source', 'files']), file));
  if (kafka !== undefined) {
    const { schemas } = kafka.avro;
    for (const id of Object.keys(schemas)) schemas[id] = resolve(baseOf([...SCHEMAS, id]), schemas[id]);
  }
  for (const path of PATH_FIELDS) {
    const last = path[path.length - 1];
    const holder = path.slice(0, -1).reduce<unknown>(childOf, resolved) as Record<string, unknown> | undefined;
    const value = childOf(holder, last);
    if (holder !== undefined && typeof value === 'string') holder[last] = resolve(baseOf(path), value);
  }
  return resolved;
}

function tlsFields(holder: readonly string[]): string[][] {
  return ['caFile', 'certFile', 'keyFile'].map((file) => [...holder, 'tls', file]);
}

function childOf(tree: unknown, key: string): unknown {
  return typeof tree === 'object' && tree !== null ? (tree as Record<string, unknown>)[key] : undefined;
}
