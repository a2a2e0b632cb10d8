import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { type DocumentPath, formatFault } from '../../formats/document-fault.ts';
import { faultsByLine, readYamlDocument } from '../../formats/read-yaml-document.ts';
import { ConfigError } from './config-error.ts';

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

/** Reads a companion's configuration file (YAML). Throws a ConfigError with a line for each fault. */
export function readConfigDocument<T>(file: string, schema: z.ZodType<T>): ConfigDocumentFile<T> {
  const read = readYamlDocument(readText(file), file, schema);
  if (read.faults !== undefined) throw new ConfigError(read.faults.map(formatFault));
  const { value, locate } = read;
  return {
    value,
    resolve: (path) => resolve(dirname(file), path),
    refuse(faults) {
      if (faults.length > 0) throw new ConfigError(faultsByLine(faults, file, locate).map(formatFault));
    },
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}; name a file with --config`);
  }
}
