import { readdir, readFile } from 'node:fs/promises';

const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  pid: number;
  parent: number;
  /** User and system time: of all its threads, and of its children that have ended. */
  ticks: number;
}

/** Returns the user and system time that a process has had in seconds: with all its threads, its children and theirs. */
export async function cpuSeconds(pid: number): Promise<number> {
  const all = (await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(readTimes))).flat();
  const tree = all.filter((one) => one.pid === pid);
  if (tree.length === 0) throw new Error(`process ${pid} has ended: its CPU time is no longer known`);
  // Grows while it is walked.
  for (const { pid: parent } of tree) tree.push(...all.filter((one) => one.parent === parent));
  return tree.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** None for a process that has ended meanwhile. */
async function readTimes(pid: string): Promise<ProcessTimes[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return [];
  // The name in parentheses may hold spaces. After it: state, parent, ...; times are the 14th to 17th fields of all (proc(5)).
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return [{ pid: Number(pid), parent: fields[1], ticks: fields[11] + fields[12] + fields[13] + fields[14] }];
}

/** What is resident of a process now, and the most that was, from its start. */
export async function residentOctets(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const octets = (field: string) => Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(status)?.[1]) * 1024;
  return { now: octets('VmRSS'), peak: octets('VmHWM') };
}
