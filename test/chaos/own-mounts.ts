import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

const INSIDE = 'CHAOS_OWN_MOUNTS';

/**
 * Runs this program again in its own namespace where needed, and resolves with its exit code. Only root may mount a small
 * disk, but in its own user namespace a process is root. Resolves with null where that is not needed or not possible; then
 * this process continues.
 */
export async function runWithOwnMounts(): Promise<number | null> {
  if (process.getuid?.() === 0 || process.env[INSIDE] !== undefined) return null;
  try {
    execFileSync('unshare', ['-Urm', 'true'], { stdio: 'ignore' });
  } catch {
    return null;
  }
  const child = spawn('unshare', ['-Urm', process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', passOn);
  process.on('SIGTERM', passOn);
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
