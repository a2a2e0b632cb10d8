import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError } from '../platform/config/config-error.ts';

/** Octets of a file, as they come. */
export type Output = string | Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Writes a file whole or not at all; without a path, to standard output. Rejects with a ConfigError where the file cannot be
 * written.
 */
export async function writeOutput(path: string | undefined, output: Output): Promise<void> {
  const source =
    typeof output === 'string' || output instanceof Uint8Array ? Readable.from([output]) : Readable.from(output);
  if (path === undefined) return pipeline(source, process.stdout, { end: false });
  const unfinished = `${path}.unfinished`;
  try {
    await pipeline(source, createWriteStream(unfinished));
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new ConfigError(`${path}: cannot be written: ${error.message}`);
  }
}
