import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestServerError } from './test-server-error.ts';

const here = fileURLToPath(import.meta.url);
const root = join(dirname(here), '..', '..');
/**
 * Set for the processes of a test run that has built already. Not ZERORATE_..., which the program reads as configuration.
 */
const BUILT = 'TESTS_BUILT';

/**
 * Returns the path of a module of `src` as JavaScript, for a separate process: Node 20 runs no TypeScript. From the sources
 * it compiles first, so it is never stale; in `dist` it exists already.
 */
export async function builtModule(module: string): Promise<string> {
  if (here.endsWith('.js')) return join(dirname(here), '..', module);
  if (process.env[BUILT] === undefined) await build();
  return join(root, 'dist', module);
}

/** Builds once for all files of a test run: Vitest calls it before the first. */
export default async function buildOnce(): Promise<void> {
  await build();
  process.env[BUILT] = '1';
}

async function build(): Promise<void> {
  const args = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: root });
  } catch (cause) {
    // Exit code 2: everything was written although a type is wrong, which the type check reports.
    const { code, stdout } = cause as { code?: number; stdout?: string };
    if (code !== 2) throw new TestServerError('build_failed', `the build failed:\n${stdout}`, cause);
  }
}
