import { CORE_SCHEMA, constructFromEvents, parseEvents, YAMLException } from 'js-yaml';
import type { DocumentFault, DocumentPath } from './document-fault.ts';
import { ComplexKeyError, ExcessiveAliasError, YamlTree } from './yaml-tree.ts';

/** 1-based. */
interface Place {
  line: number;
  column: number;
}

/** Where the value at `path` is written: its key in a map, itself in a list; the nearest node above it if it is absent. */
export type Locate = (path: DocumentPath) => Place;

export type ParsedYaml =
  | { value: unknown; locate: Locate; faults?: undefined }
  | { value?: undefined; locate?: undefined; faults: DocumentFault[] };

/**
 * Reads YAML 1.2 (core schema: a time is text, `yes` is text, nothing is merged, whatever a %YAML directive says). Keys are
 * text. Returns the value, or the first thing that keeps the text from being YAML: duplicate keys, tags of unknown types and
 * more than one document are faults.
 */
export function parseYaml(text: string, fileName: string): ParsedYaml {
  const refuse = (offset: number, message: string): ParsedYaml => {
    const { line } = placeIn(text, offset);
    return { faults: [{ file: fileName, line, path: '', message: `not valid YAML: ${message}` }] };
  };
  try {
    const { value, secondDocumentOffset } = documentOf(text);
    if (secondDocumentOffset !== null) return refuse(secondDocumentOffset, 'a second document begins');
    // A large document's tree takes more memory than its value, and is needed only where there are faults.
    let tree: YamlTree | null = null;
    const locate: Locate = (path) => {
      tree ??= new YamlTree(text, parseEvents(text, {}));
      return placeIn(text, tree.offsetOf(path));
    };
    return { value, locate };
  } catch (error) {
    if (error instanceof YAMLException) return refuse(...syntaxFault(error, text));
    if (error instanceof ComplexKeyError || error instanceof ExcessiveAliasError)
      return refuse(error.offset, error.message);
    throw error;
  }
}

/** The parser's own words, unless a bracket is out of place: there they name something else. */
function syntaxFault({ mark, reason }: YAMLException, text: string): [offset: number, message: string] {
  const offset = mark?.position ?? 0;
  const char = text.charAt(offset);
  return [offset, char === '}' || char === ']' ? `${char} closes nothing that is open before it` : reason];
}

function documentOf(source: string): { value: unknown; secondDocumentOffset: number | null } {
  const events = parseEvents(source, {});
  const { secondDocumentOffset } = new YamlTree(source, events);
  const [value = null] = constructFromEvents(events, { source, schema: CORE_SCHEMA });
  return { value, secondDocumentOffset };
}

function placeIn(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
