import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

export const JAVA = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';

// The process must not outlive its parent, however that ends. The parent holds the write end of its standard input; when the
// parent is gone the watcher reads the end of it and kills the process. `exec` gives the process the shell's own pid.
const DIE_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';

/** Starts a server in Java; its output is appended to the file `log`. */
export function spawnJava(options: readonly string[], log: string): ChildProcess {
  const file = openSync(log, 'a');
  const child = spawn('sh', ['-c', DIE_WITH_PARENT, 'sh', JAVA, ...options], {
    stdio: ['pipe', file, file],
    // Ctrl+C reaches the parent alone, which ends its servers in their order.
    detached: true,
  });
  closeSync(file);
  return child;
}

export async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}
