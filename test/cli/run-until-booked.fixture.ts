import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { builtModule } from '../servers/built.ts';
import type { Zerorate } from './zerorate.fixture.ts';

/** `zerorate run --config <args>` until so many records are booked; then stops it, as an operator would. */
export async function runUntilBooked(
  zerorate: Zerorate,
  args: readonly string[],
  records: number,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, [await builtModule('main.js'), 'run', '--config', ...args], {
    cwd: zerorate.directory,
    env: { ...process.env, ZERORATE_LOG_LEVEL: 'debug' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  const lines: string[] = [];
  let booked = 0;
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream & AsyncIterable<Buffer> })) {
    lines.push(line);
    const counts = /"records":(\{[^}]*\}),"msg":"booked"/.exec(line)?.[1];
    if (counts === undefined) continue;
    booked += Object.values<number>(JSON.parse(counts)).reduce((sum, count) => sum + count, 0);
    if (booked >= records && !child.killed) child.kill(signal);
  }
  const [code] = await exit;
  if (signal === 'SIGTERM') expect(code, lines.slice(-5).join('\n')).toBe(0);
  return booked;
}
