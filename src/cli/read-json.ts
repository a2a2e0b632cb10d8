import { readFileSync } from 'node:fs';
import type * as z from 'zod';
import { formatFault } from '../formats/document-fault.ts';
import { readYamlDocument } from '../formats/read-yaml-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { jsonFileFault } from '../rating/decode/json-fault.ts';

const BYTE_ORDER_MARK = '\ufeff';

export interface JsonFile {
  octets: Buffer;
  /** Without a byte order mark. */
  text: string;
  /** What another program made of the file as it was written, its values left alone. */
  resaved: readonly ('byte order mark' | 'CRLF line ends')[];
}

/** A file that holds JSON. Throws a ConfigError that names the line at which it stops being that. */
export function readJsonFile(path: string): JsonFile {
  const octets = readFileBytes(path);
  if (/^(fffe|feff)/.test(octets.subarray(0, 2).toString('hex'))) {
    throw new ConfigError(
      `${path}: is text in UTF-16: re-saved by an editor; use the original file, which is in UTF-8`,
    );
  }
  const whole = octets.toString('utf8');
  const hasMark = whole.startsWith(BYTE_ORDER_MARK);
  const text = hasMark ? whole.slice(1) : whole;
  requireJson(text, path);
  return {
    octets,
    text,
    resaved: [
      ...(hasMark ? ['byte order mark' as const] : []),
      ...(text.includes('\r\n') ? ['CRLF line ends' as const] : []),
    ],
  };
}

/** The octets that a file had before another program put a byte order mark and carriage returns into it. */
export function withoutResaving(octets: Buffer): Buffer {
  const text = octets.toString('latin1');
  return Buffer.from(text.replace(/^\u00ef\u00bb\u00bf/, '').replaceAll('\r\n', '\n'), 'latin1');
}

/** The octets of a file. Throws a ConfigError for one that cannot be read. */
export function readFileBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read: ${(error as Error).message}`);
  }
}

/** The value of a JSON text of a known shape. Throws a ConfigError with a line for each fault. */
export function shapeJson<T>(text: string, path: string, schema: z.ZodType<T>): T {
  // JSON is YAML, and that reader knows the line of every value.
  const read = readYamlDocument(text, path, schema);
  if (read.faults !== undefined) throw new ConfigError(read.faults.map(formatFault));
  return read.value;
}

function requireJson(text: string, path: string): void {
  const fault = jsonFileFault(text);
  if (fault === null) return;
  const what = fault.isCutOff ? 'the file ends too early: it was cut off' : 'not valid JSON here';
  throw new ConfigError(`${path}:${fault.line}: ${what}`);
}
