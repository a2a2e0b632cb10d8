import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';

/** Some packages have hundreds of megabytes. */
const INSTALL_TIMEOUT_MS = 900_000;

/**
 * Returns a folder of Python packages (`name==version`) for PYTHONPATH. Installed through pip once, then kept under the
 * user's cache folder as `zerorate/<name>`.
 */
export async function pythonPackages(name: string, requirements: readonly string[]): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'zerorate', name);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const staging = await mkdtemp(`${folder}.`);
  try {
    const args = ['-m', 'pip', 'install', '--quiet', '--target', join(staging, 'packages'), ...requirements];
    await promisify(execFile)('python3', args, { timeout: INSTALL_TIMEOUT_MS });
    await rename(join(staging, 'packages'), folder);
  } catch (cause) {
    const remedy = 'install Python 3.10 or newer with pip (apt-get install -y python3-pip)';
    throw new TestServerError('no_python', `${requirements.join(', ')} cannot be installed: ${remedy}`, cause);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return folder;
}
