import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packagePath } from '../../src/platform/package-paths.ts';

/** Returns the files of the package's folders that the pattern matches, by their path in the package, sorted. */
export function filesUnder(folders: readonly string[], pattern: RegExp): string[] {
  const root = packagePath('.');
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name))),
    )
    .filter(
      (path) => pattern.test(path) && !/node_modules|\.vitepress\/(cache|dist)/.test(path) && statSync(path).isFile(),
    )
    .map((path) => relative(root, path))
    .sort();
}
