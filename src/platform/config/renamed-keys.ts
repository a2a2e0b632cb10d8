import { type DocumentPath, formatPath } from '../../formats/document-fault.ts';
import { isTree } from './config-tree.ts';

/** A key that has another name or place since this version. `*` in `from` is any key or entry; those of `to` are the same ones. */
export interface KeyRename {
  from: readonly string[];
  to: readonly string[];
  /** What a number is multiplied by, where the unit has changed too. */
  factor?: number;
}

interface PlacedMessage {
  path: DocumentPath;
  message: string;
}

export interface RenamedDocument {
  document: unknown;
  /** One for each former key that is written in the document. */
  warnings: PlacedMessage[];
  /** One for each key that is written under both of its names. */
  faults: PlacedMessage[];
  /** The path under which the document's author wrote what is now at `path`. */
  writtenPath(path: DocumentPath): DocumentPath;
}

const IS_READ_ONCE_MORE = 'the former name is read by this version only';

/** A rename of many, in a map or list under `at`. */
export function renamesUnder(at: readonly string[], renames: readonly KeyRename[]): KeyRename[] {
  return renames.map((rename) => ({ ...rename, from: [...at, ...rename.from], to: [...at, ...rename.to] }));
}

/** Returns the document under its keys of today. The value that is given stays as it is. Renames apply in their order. */
export function applyRenames(value: unknown, renames: readonly KeyRename[]): RenamedDocument {
  const document: unknown = structuredClone(value);
  const moves: { from: DocumentPath; to: DocumentPath }[] = [];
  const warnings: PlacedMessage[] = [];
  const faults: PlacedMessage[] = [];
  const writtenPath = (path: DocumentPath): DocumentPath =>
    moves.reduceRight<DocumentPath>(
      (at, { from, to }) => (to.every((step, i) => at[i] === step) ? [...from, ...at.slice(to.length)] : at),
      path,
    );
  for (const rename of renames) {
    for (const { from, to } of matches(document, rename)) {
      const path = writtenPath(from);
      const former = takeOut(document, from);
      // An alias: its anchor's map was renamed already.
      if (former === undefined) continue;
      const isPut = put(document, to, converted(former, rename.factor));
      prune(document, from.slice(0, -1));
      if (isPut) {
        moves.push({ from, to });
        const unit = rename.factor === undefined ? '' : ', in milliseconds';
        warnings.push({ path, message: renamedMessage(formatPath(to) + unit) });
      } else {
        faults.push({ path, message: bothMessage(formatPath(to)) });
      }
    }
  }
  return { document, warnings, faults, writtenPath };
}

export function renamedMessage(name: string): string {
  return `is now called ${name}; rename it: ${IS_READ_ONCE_MORE}`;
}

export function bothMessage(name: string): string {
  return `is the former name of ${name}, which is set too; remove this one`;
}

/** The places of a former key in the document, with where each belongs now. */
function matches(document: unknown, { from, to }: KeyRename): { from: DocumentPath; to: DocumentPath }[] {
  let open: { node: unknown; path: DocumentPath; named: DocumentPath }[] = [{ node: document, path: [], named: [] }];
  for (const step of from) {
    open = open.flatMap(({ node, path, named }) =>
      childrenOf(node, step).map(([key, child]) => ({
        node: child,
        path: [...path, key],
        named: step === '*' ? [...named, key] : named,
      })),
    );
  }
  return open.map(({ path, named }) => {
    const keys = [...named];
    return { from: path, to: to.map((step) => (step === '*' ? (keys.shift() ?? step) : step)) };
  });
}

function childrenOf(node: unknown, step: string): [key: string | number, child: unknown][] {
  if (Array.isArray(node)) return step === '*' ? [...node.entries()] : [];
  if (!isTree(node)) return [];
  if (step === '*') return Object.entries(node).filter(([key]) => key !== '__proto__');
  return Object.hasOwn(node, step) ? [[step, node[step]]] : [];
}

/** Removes a value and returns it; undefined where there is none. */
function takeOut(document: unknown, path: DocumentPath): unknown {
  const holder = path
    .slice(0, -1)
    .reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown>)[key], document);
  const key = path[path.length - 1];
  if (!isTree(holder) || !Object.hasOwn(holder, key)) return undefined;
  const value = holder[String(key)];
  delete holder[String(key)];
  return value;
}

/** Removes the map at a path, and those around it, as far as they are empty. */
function prune(document: unknown, path: DocumentPath): void {
  const map = path.reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), document);
  if (path.length === 0 || !isTree(map) || Object.keys(map).length > 0) return;
  takeOut(document, path);
  prune(document, path.slice(0, -1));
}

/** Sets a value that is not there yet, and the maps around it. False where one is there. */
function put(document: unknown, path: DocumentPath, value: unknown): boolean {
  let node = document;
  for (const key of path.slice(0, -1)) {
    const holder = node as Record<PropertyKey, unknown>;
    holder[key] ??= {};
    node = holder[key];
    if (!isTree(node) && !Array.isArray(node)) return false;
  }
  const holder = node as Record<PropertyKey, unknown>;
  const last = path[path.length - 1];
  if (Object.hasOwn(holder, last)) return false;
  holder[last] = value;
  return true;
}

function converted(value: unknown, factor: number | undefined): unknown {
  return factor !== undefined && typeof value === 'number' ? value * factor : value;
}
