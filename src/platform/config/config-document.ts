import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { type DocumentPath, formatFault } from '../../formats/document-fault.ts';
import { parseYaml } from '../../formats/parse-yaml.ts';
import { faultsByLine } from '../../formats/read-yaml-document.ts';
import { shape } from '../../formats/shape-faults.ts';
import { ConfigError } from './config-error.ts';
import { writeConfigWarnings } from './config-warnings.ts';
import { applyRenames, type KeyRename } from './renamed-keys.ts';

export interface ConfigFault {
  path: DocumentPath;
  message: string;
}

/** A configuration file that has been read, and what there is to say about it. */
export interface ConfigDocumentFile<T> {
  value: T;
  /** A path of the file, which is relative to it. */
  resolve(path: string): string;
  /** Throws a ConfigError with a line for each fault, if there is one. */
  refuse(faults: readonly ConfigFault[]): void;
}

interface ReadOptions {
  /** Keys that had other names in the version before. */
  renames?: readonly KeyRename[];
  /** Reads a text file; throws when it cannot. */
  readFile?: (path: string) => string;
}

/**
 * Reads a companion's configuration file (YAML), and warns of former keys. Throws a ConfigError with a line for each fault.
 */
export function readConfigDocument<T>(
  file: string,
  schema: z.ZodType<T>,
  { renames = [], readFile = (path) => readFileSync(path, 'utf8') }: ReadOptions = {},
): ConfigDocumentFile<T> {
  const parsed = parseYaml(readText(file, readFile), file);
  if (parsed.faults !== undefined) throw new ConfigError(parsed.faults.map(formatFault));
  const { document, warnings, faults: doubles, writtenPath } = applyRenames(parsed.value, renames);
  const lines = (faults: readonly ConfigFault[]) => faultsByLine(faults, file, parsed.locate);
  const refuse = (faults: readonly ConfigFault[]) => {
    const written = [...doubles, ...faults.map(({ path, message }) => ({ path: writtenPath(path), message }))];
    if (written.length > 0) throw new ConfigError(lines(written).map(formatFault));
  };
  const shaped = shape(schema, document);
  refuse(shaped.faults ?? []);
  // Where there are faults, the line above throws.
  const value = shaped.value as T;
  writeConfigWarnings(lines(warnings));
  return { value, resolve: (path) => resolve(dirname(file), path), refuse };
}

function readText(file: string, readFile: (path: string) => string): string {
  try {
    return readFile(file);
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}; name a file with --config`);
  }
}
