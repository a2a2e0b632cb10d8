import { readFileSync, type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type ParsedCatalogue, parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import type { AddedPart, ReadPart } from '../rating/catalogue/catalogue-parts.ts';
import type { CountedPlans } from '../rating/catalogue/catalogue-succession-faults.ts';

/** By path, which version of a file was read: another one has another text. */
export type FileVersions = Readonly<Record<string, string>>;

/** A catalogue or everything that is wrong with it, and all files that it was read from, those that cannot be read, too. */
export type LoadedCatalogue = ParsedCatalogue & { files: FileVersions };

export interface LoadOptions {
  /** How plans have counted under the catalogues before this one. */
  before?: CountedPlans;
  /** A text to read in place of the file of that path. */
  replacing?: { path: string; text: string } | undefined;
  /** A part to read as if the catalogue named it, too. */
  added?: AddedPart | undefined;
}

/** Reads a catalogue and the parts that it names, which is the one way to a catalogue; see `parseCatalogue`. */
export function loadCatalogue(path: string, { before, replacing, added }: LoadOptions = {}): LoadedCatalogue {
  const files: Record<string, string> = {};
  const read = (file: string): string | Error => {
    // A file that changes while it is read has another version afterwards.
    files[file] = currentVersion(file);
    return replacing !== undefined && resolve(file) === resolve(replacing.path) ? replacing.text : readText(file);
  };
  const readPart: ReadPart = (name) => {
    const file = partPath(path, name);
    const text = read(file);
    if (typeof text === 'string') return { file, text };
    return {
      problem: `cannot be read: ${text.message}; approve its feed first (zerorate evidence), or remove the name`,
    };
  };
  const text = read(path);
  if (text instanceof Error) {
    const fault = { file: path, line: null, path: '', message: `cannot be read: ${text.message}` };
    return { faults: [fault], files };
  }
  return { ...parseCatalogue(text, path, before, readPart, added), files };
}

/** Returns the path of a part that a catalogue names. */
export function partPath(catalogue: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(catalogue), name);
}

/** Resolves with the version of a file that is there, or why it cannot be read. */
export function fileVersion(path: string): Promise<string> {
  return stat(path).then(versionOf, ({ code }: NodeJS.ErrnoException) => String(code));
}

function currentVersion(path: string): string {
  try {
    return versionOf(statSync(path));
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function versionOf({ mtimeMs, size, ino }: Stats): string {
  return `${mtimeMs} ${size} ${ino}`;
}

function readText(path: string): string | Error {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return error as Error;
  }
}
