import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from 'yaml';
import type { DocumentFault, DocumentPath } from './document-fault.ts';

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
  const problems = causes([...document.errors, ...document.warnings]);
  if (problems.length > 0) {
    return {
      faults: problems.map((problem) =>
        fault(placeOf(problem.pos[0]).line, `not valid YAML: ${syntaxMessage(problem, text)}`),
      ),
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

type Problem = Pick<YAMLError, 'code' | 'pos' | 'message'>;

/** Faults that leave the rest of a document as it is; after any other the parser stumbles on, and only the first means something. */
const INDEPENDENT: ReadonlySet<Problem['code']> = new Set(['DUPLICATE_KEY', 'TAG_RESOLVE_FAILED']);

function causes(problems: readonly Problem[]): readonly Problem[] {
  if (problems.every(({ code }) => INDEPENDENT.has(code))) return problems;
  return problems
    .filter(({ code }) => !INDEPENDENT.has(code))
    .sort((left, right) => left.pos[0] - right.pos[0])
    .slice(0, 1);
}

/** The parser's own words, unless a bracket or a quote is out of place: there they name tokens and keys that nobody wrote. */
function syntaxMessage({ code, pos, message }: Problem, text: string): string {
  const char = text.charAt(pos[0]);
  if (INDEPENDENT.has(code) || char === '') return oneLine(message);
  if ('}]'.includes(char)) return `${char} closes nothing that is open before it`;
  const isOpening = '{['.includes(char) || (`'"`.includes(char) && /implicit/i.test(message));
  if (isOpening) return `${char} is not closed, or does not belong there`;
  const isJargon = /implicit|stringKeys|token/i.test(message);
  return isJargon ? 'expected a key and its value (key: value), or "- " and an entry of a list' : oneLine(message);
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
