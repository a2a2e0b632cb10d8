import { fileURLToPath } from 'node:url';

/** A file or folder of the package itself, from the sources as from `dist/`. */
export function packagePath(relative: string): string {
  return fileURLToPath(new URL(`../../${relative}`, import.meta.url));
}
