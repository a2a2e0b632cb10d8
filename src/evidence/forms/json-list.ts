import type * as z from 'zod';
import { formatPath } from '../../formats/document-fault.ts';
import { type ReadDocument, readYamlDocument } from '../../formats/read-yaml-document.ts';
import { jsonFileFault } from '../../rating/decode/json-fault.ts';
import type { Place } from './address-list.ts';

/** Reads a JSON text of a known shape, or everything that is wrong with it, by line. */
export function readJsonList<T>(text: string, file: string, schema: z.ZodType<T>): ReadDocument<T> {
  const fault = jsonFileFault(text);
  if (fault !== null) {
    const message = fault.isCutOff
      ? 'the file ends too early: it was cut off; fetch it again'
      : 'not valid JSON here; fetch it again, and check the URL';
    return { faults: [{ file, line: fault.line, path: '', message }] };
  }
  // JSON is YAML, and that reader knows the line of every value and refuses a key that is there twice.
  return readYamlDocument(text, file, schema);
}

type Locate = NonNullable<ReadDocument<unknown>['locate']>;

/** Returns where a value of the document is. */
export function placeOf(locate: Locate, path: readonly (string | number)[]): () => Place {
  return () => ({ line: locate(path).line, path: formatPath(path) });
}
