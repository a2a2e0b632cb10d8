import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = packageRoot(import.meta.dirname);

/** Returns the path of a file or folder of the package itself, whether the sources run or what was compiled from them. */
export function packagePath(relative: string): string {
  return join(root, relative);
}

function packageRoot(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageRoot(dirname(directory));
}
