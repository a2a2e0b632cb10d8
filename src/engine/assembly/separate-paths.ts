import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { DATA_DIRECTORY, STAGING_DIRECTORY } from '../../platform/clickhouse/store-directory.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';

/**
 * Rejects with a ConfigError where the source would be read from what the engine writes: a source directory that holds the store or
 * the file of quota updates, a source within the store's own data, or the file of quota updates itself. Links are followed.
 */
export async function requireSeparatePaths({ source, store, quotaUpdates }: Config): Promise<void> {
  if (source.files === undefined) return;
  const storePath = store.dir === undefined ? null : await truePathOf(store.dir);
  const quotaPath = quotaUpdates.file === undefined ? null : await truePathOf(quotaUpdates.file);
  for (const file of source.files) {
    const path = await truePathOf(file);
    const isDirectory = await stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    );
    const holds = (inner: string | null): inner is string => inner !== null && isDirectory && isWithin(inner, path);
    if (holds(storePath)) throw new ConfigError(holdsWritten(file, 'the store', store.dir ?? ''));
    if (holds(quotaPath))
      throw new ConfigError(holdsWritten(file, 'the file of quota updates', quotaUpdates.file ?? ''));
    if (path === quotaPath) {
      throw new ConfigError(`${file}: is the file that quota updates are written to; name the file of flow records`);
    }
    const own = storePath === null ? [] : [join(storePath, DATA_DIRECTORY), join(storePath, STAGING_DIRECTORY)];
    if (own.some((directory) => isWithin(path, directory))) {
      throw new ConfigError(`${file}: is within the data of the store ${store.dir}; name files of flow records`);
    }
  }
}

function holdsWritten(source: string, what: string, path: string): string {
  return `${source}: this source directory holds ${what}, ${path}: what is written there would be read as flow records; put one of them elsewhere`;
}

function isWithin(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}

/** The path without links; of what is not there yet, from the first directory above it that is. */
async function truePathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  const above = dirname(absolute);
  return realpath(absolute).catch(async () =>
    above === absolute ? absolute : join(await truePathOf(above), basename(absolute)),
  );
}
