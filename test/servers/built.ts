import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

/**
 * Set for the processes of a test run that has built already. Not ZERORATE_..., which the program reads as configuration.
 */
const BUILT = 'TESTS_BUILT';

/**
 * Returns the path of a module of `src` (`main.js`) or of `test` (`test/chaos/engine-main.js`) as JavaScript, for a separate
 * process: Node 20 runs no TypeScript. A test compiles first, so it is never stale; a compiled harness was compiled with it.
 */
export async function builtModule(module: string): Promise<string> {
  if (!import.meta.filename.endsWith('.js') && process.env[BUILT] === undefined) await build();
  return packagePath(join(module.startsWith('test/') ? 'build' : 'dist', module));
}

/** Builds once for all files of a test run: Vitest calls it before the first. */
export default async function buildOnce(): Promise<void> {
  if (process.env[BUILT] !== undefined) return;
  await build();
  process.env[BUILT] = '1';
}

async function build(): Promise<void> {
  for (const kernel of ['src/rating/kernel', 'src/journal/quota-kernel']) {
    await run([packagePath('node_modules/assemblyscript/bin/asc.js'), '--config', `${kernel}/asconfig.json`]);
  }
  for (const project of ['tsconfig.build.json', 'tsconfig.test.json']) await compile(project);
}

async function compile(project: string): Promise<void> {
  try {
    await run([packagePath('node_modules/typescript/bin/tsc'), '-p', project]);
  } catch (cause) {
    // Exit code 2: everything was written although a type is wrong, which the type check reports.
    const { code, stdout } = cause as { code?: number; stdout?: string };
    if (code !== 2) throw new TestServerError('build_failed', `the build failed:\n${stdout}`, cause);
  }
}

async function run(args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, args, { cwd: packagePath('.') });
}
