import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = packageRoot(import.meta.dirname);

/** The version of the engine, which it books under: the package's. */
export const ENGINE_VERSION: string = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

/** Returns the path of a file or folder of the package itself, whether the sources run or what was compiled from them. */
export function packagePath(relative: string): string {
  return join(root, relative);
}

function packageRoot(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageRoot(dirname(directory));
}
