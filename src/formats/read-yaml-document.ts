import type * as z from 'zod';
import { type DocumentFault, type DocumentPath, formatPath } from './document-fault.ts';
import { type Locate, parseYaml } from './parse-yaml.ts';
import { shape } from './shape-faults.ts';

export type ReadDocument<T> =
  | { value: T; locate: Locate; faults?: undefined }
  | { value?: undefined; locate?: undefined; faults: DocumentFault[] };

/** Reads a YAML document of a known shape: its value, or everything that is wrong with it, by line. */
export function readYamlDocument<T>(text: string, fileName: string, schema: z.ZodType<T>): ReadDocument<T> {
  const parsed = parseYaml(text, fileName);
  if (parsed.faults !== undefined) return { faults: parsed.faults };
  const { locate } = parsed;
  const shaped = shape(schema, parsed.value);
  if (shaped.faults === undefined) return { value: shaped.value, locate };
  return { faults: faultsByLine(shaped.faults, fileName, locate) };
}

/** Gives each fault its line, and sorts them as a reader meets them. */
export function faultsByLine(
  faults: readonly { path: DocumentPath; message: string }[],
  fileName: string,
  locate: Locate,
): DocumentFault[] {
  return faults
    .map(({ path, message }) => ({ place: locate(path), path, message }))
    .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
    .map(({ place, path, message }) => ({ file: fileName, line: place.line, path: formatPath(path), message }));
}
