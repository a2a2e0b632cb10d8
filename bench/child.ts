import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TAIL_LINES = 20;
const STOP_WITHIN_MS = 15_000;

export interface Command {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** A process that reports in lines, on either output. */
export interface Child {
  pid: number;
  /** Rejects with its last lines when it ends by itself with anything but 0; resolves with 0. */
  ended: Promise<void>;
  /** SIGTERM, and SIGKILL when that is not enough. */
  stop(): Promise<void>;
}

export function startChild(name: string, { command, args, env }: Command, onLine: (line: string) => void): Child {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name}: ${command} did not start`);
  const tail: string[] = [];
  let isStopping = false;
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      onLine(line);
    });
  }
  // `close` and not `exit`: by then its last lines have been read.
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0 && !isStopping) throw new Error(`${name} ended with ${code}:\n${tail.join('\n')}`);
  });
  ended.catch(() => {});

  async function stop(): Promise<void> {
    isStopping = true;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await ended.catch(() => {});
    clearTimeout(killer);
  }
  return { pid, ended, stop };
}

/** A script beside the one that asks, in a process of its own, under this Node.js or another. */
export function script(url: URL, args: readonly string[], node = process.execPath): Command {
  return { command: node, args: ['--import', 'tsx', fileURLToPath(url), ...args] };
}
