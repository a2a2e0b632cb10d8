import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError } from './config/config-error.ts';

/**
 * Replaces a secret file's text whole or not at all, in its place, for its owner's eyes only (0600); on disk when this resolves.
 * One at a time: the file that is being written keeps a second writer out. `change` gives null to leave the file as it is.
 * Rejects with a ConfigError where the file cannot be written.
 */
export async function rewriteFile(path: string, change: (text: string) => Promise<string | null>): Promise<void> {
  try {
    // A link to the file stays a link.
    const target = await realpath(path);
    const unfinished = `${target}.unfinished`;
    const file = await open(unfinished, 'wx', 0o600);
    try {
      const text = await change(await readFile(target, 'utf8'));
      if (text !== null) await writeThrough(file, text, await stat(target));
      await file.close();
      if (text === null) await rm(unfinished);
      else await rename(unfinished, target);
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(unfinished, { force: true });
      throw error;
    }
    await syncDirectory(dirname(target));
  } catch (error) {
    throw asConfigError(path, error);
  }
}

/**
 * Writes a file that others may read whole or not at all, in the place of the one that is there; on disk when this resolves. Its caller
 * keeps a second writer out.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  // A link to the file stays a link.
  const target = await realpath(path).catch(() => path);
  const before = await stat(target).catch(() => null);
  const unfinished = `${target}.unfinished`;
  const file = await open(unfinished, 'w');
  try {
    await file.writeFile(text);
    if (before !== null) await file.chmod(before.mode);
    await file.sync();
    await file.close();
    await rename(unfinished, target);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function writeThrough(file: FileHandle, text: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await file.writeFile(text);
  await file.chmod(0o600);
  // Root may rewrite what an engine's own user reads; anybody else is the owner.
  if (process.getuid?.() === 0) await file.chown(uid, gid);
  await file.sync();
}

/** A rename is on disk when its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function asConfigError(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const remedy =
    code === 'EEXIST'
      ? `${path}.unfinished is there: another process is writing it, or was interrupted; if none is, remove that file`
      : `cannot be rewritten (${message}); work on a copy in a directory that can be written, and put it in place of this file`;
  return new ConfigError(`${path}: ${remedy}`);
}
