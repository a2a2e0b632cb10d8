import type { DocumentPath } from '../../formats/document-fault.ts';
import type { ConfigInput } from './config-schema.ts';
import { isTree, type Tree } from './config-tree.ts';

/** One field's value from somewhere else than the configuration file. */
export interface Setting {
  path: DocumentPath;
  value: unknown;
  /** As faults name it: a variable, or the command line. */
  origin: string;
}

type Overrides<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: Overrides<T[K]> | undefined }
    : T;

/** Any part of the configuration file's value. */
export type ConfigOverrides = Overrides<ConfigInput>;

/** Forms that exclude each other. Setting one's key drops the other's fields that a lower layer gave. */
const ALTERNATIVES = [
  { at: 'source', key: 'files', excludes: ['kafka'] },
  { at: 'source', key: 'kafka', excludes: ['files', 'format', 'final', 'rewritten', 'cdr', 'goflow2'] },
  { at: 'store', key: 'dir', excludes: ['url', 'database', 'username', 'passwordFile'] },
  { at: 'store', key: 'url', excludes: ['dir'] },
  { at: 'quotaUpdates', key: 'topic', excludes: ['file'] },
  { at: 'quotaUpdates', key: 'file', excludes: ['topic'] },
];

/** The settings of an object of overrides, one for each leaf; a list is a leaf. */
export function overrideSettings(overrides: ConfigOverrides, origin: string): Setting[] {
  return leaves(overrides as Tree, []).map(({ path, value }) => ({ path, value, origin }));
}

/** Lays the layers, the strongest last, over a configuration file's value. The value is left as it is. */
export function mergeSettings(document: unknown, layers: readonly (readonly Setting[])[]): unknown {
  if (layers.every((layer) => layer.length === 0)) return document;
  // An empty file is null; a file of another kind is for the schema to refuse.
  if (document !== null && !isTree(document)) return document;
  const merged: Tree = structuredClone(document ?? {});
  for (const layer of layers) {
    for (const { at, key, excludes } of ALTERNATIVES) {
      const below = merged[at];
      const isSet = layer.some(({ path }) => path[0] === at && path[1] === key);
      if (isSet && isTree(below)) for (const name of excludes) delete below[name];
    }
    for (const { path, value } of layer) put(merged, path, value);
  }
  return merged;
}

function leaves(tree: Tree, above: DocumentPath): { path: DocumentPath; value: unknown }[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const path = [...above, key];
    return isTree(value) ? leaves(value, path) : [{ path, value }];
  });
}

function put(tree: Tree, path: DocumentPath, value: unknown): void {
  const keys = path.map(String);
  const last = keys.pop();
  if (last === undefined) return;
  let at = tree;
  for (const key of keys) {
    const inner = at[key];
    const next: Tree = isTree(inner) ? inner : {};
    at[key] = next;
    at = next;
  }
  at[last] = value;
}
