import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import type { Place, Side, SideTotals } from './side.ts';

const LOOK_EVERY_MS = 20;
const GIVE_UP_AFTER_MS = 600_000;
const TICKS_PER_SECOND = 100;
const STOP_WITHIN_MS = 15_000;

export interface Measured {
  /** From the moment that the side's group has its partitions until all records are done. */
  seconds: number;
  /** User and system time of the process in that span. */
  cpuSeconds: number;
  /** The most that was resident, from its start. */
  peakOctets: number;
  totals: SideTotals;
}

/** Runs one side over the whole topic. Rejects when it ends before it is done, or takes too long. */
export async function measure(
  side: Side,
  place: Place,
  admin: Admin,
  group: string,
  records: number,
): Promise<Measured> {
  const { command, args, env } = await side.command(place, group);
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${side.name}: ${command} did not start`);
  const tail: string[] = [];
  let totals: SideTotals = { records: 0 };
  const done = new Promise<number>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        tail.push(line);
        if (tail.length > 20) tail.shift();
        totals = side.read(line, totals) ?? totals;
        if (totals.records >= records) resolve(performance.now());
      });
    }
    child.once('exit', (code) => reject(new Error(`${side.name} ended with ${code}:\n${tail.join('\n')}`)));
    setTimeout(() => reject(new Error(`${side.name}: too long:\n${tail.join('\n')}`)), GIVE_UP_AFTER_MS).unref();
  });
  try {
    const begun = await Promise.race([untilAssigned(admin, group), done.then(() => null)]);
    if (begun === null) throw new Error(`${side.name} was done before its group was seen`);
    const cpuBefore = await cpuSeconds(pid);
    const end = await done;
    const cpu = (await cpuSeconds(pid)) - cpuBefore;
    return { seconds: (end - begun) / 1000, cpuSeconds: cpu, peakOctets: await peakOctets(pid), totals };
  } finally {
    child.removeAllListeners('exit');
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await exit;
      clearTimeout(killer);
    }
  }
}

/** Seen from outside, in the same way for every side: its group is stable, and its members have partitions. */
async function untilAssigned(admin: Admin, group: string): Promise<number> {
  for (;;) {
    const { groups } = await admin.describeGroups([group]);
    if (groups[0].state === 'Stable' && groups[0].members.length > 0) return performance.now();
    await pause(LOOK_EVERY_MS);
  }
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; user and system time are the 14th and 15th fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function peakOctets(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) * 1024;
}
