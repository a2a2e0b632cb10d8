import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestServerError } from './test-server-error.ts';

/**
 * A module of `src` as JavaScript, for a process of its own: Node 20 runs no TypeScript. From the sources it compiles
 * first, so it is never stale; from `dist` it is there already.
 */
export async function builtModule(module: string): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.js')) return join(dirname(here), '..', module);
  const root = join(dirname(here), '..', '..');
  const args = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: root });
  } catch (cause) {
    // Exit code 2: all was written though a type is wrong somewhere, which the type check is there to say.
    const { code, stdout } = cause as { code?: number; stdout?: string };
    if (code !== 2) throw new TestServerError('build_failed', `the build failed:\n${stdout}`, cause);
  }
  return join(root, 'dist', module);
}
