import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cpuSeconds } from './process-figures.ts';

const BURNT_SECONDS = 0.5;
/** A thread that is busy for a while, in a process that then stays. */
const BURN = `
  const { Worker } = require('node:worker_threads');
  new Worker('while (process.cpuUsage().user < ${BURNT_SECONDS * 1e6}) {}', { eval: true });
  setInterval(() => {}, 1000);`;

async function untilBurnt(pid: number): Promise<number> {
  for (;;) {
    const seconds = await cpuSeconds(pid);
    if (seconds >= BURNT_SECONDS) return seconds;
    await pause(20);
  }
}

test("a process's CPU time has that of its children's threads", async () => {
  // The shell itself does nothing.
  const shell = spawn('sh', ['-c', '"$0" -e "$1" & echo $!; wait', process.execPath, BURN], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const grandchild = new Promise<number>((resolve) => shell.stdout.once('data', (text) => resolve(Number(text))));
  try {
    expect(await untilBurnt(shell.pid ?? 0)).toBeGreaterThanOrEqual(BURNT_SECONDS);
  } finally {
    process.kill(await grandchild);
  }
});

test('a process that has ended has no figures', async () => {
  const child = spawn('true');
  await new Promise((resolve) => child.once('exit', resolve));
  await expect(cpuSeconds(child.pid ?? 0)).rejects.toThrow('has ended');
});
