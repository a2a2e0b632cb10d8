import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';

const PREFIX = 'rewritten-';
const ENTRIES_AT_ONCE = 1000;
const DATA_FILE = 'data.mdb';

/** The databases of an LMDB directory, and how their values are encoded. */
export interface LmdbLayout {
  directory: string;
  names: readonly string[];
  encoding?: 'json' | 'msgpack';
}

/**
 * Copies the entries that are kept into a new data file, which takes the place of the old one, and returns it open. LMDB leaves what was
 * removed in free pages and in the free parts of pages: a file that never held it has no trace of it. `from` must not be
 * written to meanwhile, and is to be closed by the caller.
 */
export async function rewriteLmdb(
  from: RootDatabase,
  { directory, names, encoding = 'msgpack' }: LmdbLayout,
  isKept: (name: string, key: unknown, value: unknown) => boolean = () => true,
): Promise<RootDatabase> {
  const place = join(directory, `${PREFIX}${randomBytes(6).toString('hex')}`);
  const to = open({ path: place, maxDbs: names.length, noSubdir: false });
  try {
    for (const name of names) {
      const source = from.openDB<unknown, string>({ name, encoding });
      const target = to.openDB<unknown, string>({ name, encoding });
      await copyEntries(source, target, to, (key, value) => isKept(name, key, value));
    }
    await to.flushed;
    renameSync(join(place, DATA_FILE), join(directory, DATA_FILE));
    syncDirectory(directory);
    return to;
  } catch (error) {
    await to.close();
    throw error;
  } finally {
    // The new file and its lock stay open without these names.
    rmSync(place, { recursive: true, force: true });
  }
}

/** Removes what a rewrite left that was cut short. */
export function removeUnfinishedRewrites(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(PREFIX)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** A rename is on disk when its directory is: until then a power cut brings the old file back, without what is written from now on. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function copyEntries(
  source: Database<unknown, string>,
  target: Database<unknown, string>,
  root: RootDatabase,
  isKept: (key: unknown, value: unknown) => boolean,
): Promise<void> {
  let batch: { key: string; value: unknown }[] = [];
  const flush = async () => {
    const entries = batch;
    batch = [];
    await root.transaction(() => {
      for (const { key, value } of entries) void target.put(key, value);
    });
  };
  for (const { key, value } of source.getRange()) {
    if (isKept(key, value)) batch.push({ key, value });
    if (batch.length >= ENTRIES_AT_ONCE) await flush();
  }
  await flush();
}
