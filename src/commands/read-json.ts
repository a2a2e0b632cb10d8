import { readFileSync } from 'node:fs';
import type * as z from 'zod';
import { jsonFaultAt } from '../billing/json-fault.ts';
import { ConfigError } from '../platform/config-error.ts';
import { formatFault } from '../yaml-document/document-fault.ts';
import { readYamlDocument } from '../yaml-document/read-yaml-document.ts';

/** The text of a file that holds JSON. Throws a ConfigError that names the line at which it stops being that. */
export function readJsonText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  const faultAt = jsonFaultAt(text);
  if (faultAt === null) return text;
  // Where a text is cut off lies within a string, a list or a map.
  if (!/[}\]]\s*$/.test(text))
    throw new ConfigError(`${path}:${lineAt(text, text.length)}: the file ends too early: it was cut off`);
  throw new ConfigError(`${path}:${lineAt(text, faultAt)}: not valid JSON here`);
}

/** The value of a JSON text of a known shape. Throws a ConfigError with a line for each fault. */
export function shapeJson<T>(text: string, path: string, schema: z.ZodType<T>): T {
  // JSON is YAML, and that reader knows the line of every value.
  const read = readYamlDocument(text, path, schema);
  if (read.faults !== undefined) throw new ConfigError(read.faults.map(formatFault));
  return read.value;
}

function lineAt(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}
