import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { DocumentFault, DocumentPath } from './document-fault.ts';
import { quickYamlValue } from './quick-yaml.ts';

/** 1-based. */
export interface Place {
  line: number;
  column: number;
}

/** Where the value at `path` is written: its key in a map, itself in a list; the nearest node above it if it is absent. */
export type Locate = (path: DocumentPath) => Place;

export type ParsedYaml =
  | { value: unknown; locate: Locate; faults?: undefined }
  | { value?: undefined; locate?: undefined; faults: DocumentFault[] };

/** How often a document may repeat what an anchor holds, everything counted: a few lines of YAML can name billions. */
const MAX_ALIASES = 100;
const START: Place = { line: 1, column: 1 };

/**
 * Reads YAML 1.2 (core schema: a time is text, `yes` is text, nothing is merged). Keys are text. Duplicate keys, tags of
 * unknown types and more than one document are faults.
 */
export function parseYaml(text: string, fileName: string): ParsedYaml {
  const value = quickYamlValue(text);
  if (value === undefined) return parseWithPlaces(text, fileName);
  // Places are asked for only where something is wrong.
  let placed: ParsedYaml | undefined;
  return {
    value,
    locate: (path) => {
      placed ??= parseWithPlaces(text, fileName);
      return placed.locate?.(path) ?? START;
    },
  };
}

/** The same with the place of every node. */
function parseWithPlaces(text: string, fileName: string): ParsedYaml {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    stringKeys: true,
    // A %YAML 1.1 directive would change what the same words mean.
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const placeOf = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(offset);
    return line === 0 ? START : { line, column: col };
  };
  const fault = (line: number, message: string): DocumentFault => ({ file: fileName, line, path: '', message });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    return {
      faults: problems.map(({ pos, message }) => fault(placeOf(pos[0]).line, `not valid YAML: ${oneLine(message)}`)),
    };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return { value, locate: (path) => placeOf(offsetOf(document, path)) };
  } catch (error) {
    // An alias without its anchor, or too many of them: yaml names no position.
    return { faults: [fault(1, `not valid YAML: ${oneLine((error as Error).message)}`)] };
  }
}

function oneLine(message: string): string {
  return message.replace(/\s+/g, ' ').trim();
}

function offsetOf(document: Document.Parsed, path: DocumentPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step));
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
