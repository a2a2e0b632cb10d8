import type { Admin } from 'kafkajs';
import { startChild } from '../child.ts';
import { untilAssigned } from '../group.ts';
import { cpuSeconds, residentOctets } from '../process-figures.ts';
import type { Place, Side, SideTotals } from './side.ts';

const GIVE_UP_AFTER_MS = 600_000;

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
  let totals: SideTotals = { records: 0 };
  let finish: (nowMs: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const child = startChild(side.name, await side.command(place, group), (line) => {
    totals = side.read(line, totals) ?? totals;
    if (totals.records >= records) finish(performance.now());
  });
  const done = Promise.race([finished, failure(side.name, child.ended)]);
  try {
    const begun = await Promise.race([untilAssigned(admin, group), done.then(() => null)]);
    if (begun === null) throw new Error(`${side.name} was done before its group was seen`);
    const cpuBefore = await cpuSeconds(child.pid);
    const end = await done;
    const cpu = (await cpuSeconds(child.pid)) - cpuBefore;
    const { peak } = await residentOctets(child.pid);
    return { seconds: (end - begun) / 1000, cpuSeconds: cpu, peakOctets: peak, totals };
  } finally {
    await child.stop();
  }
}

/** Rejects when the side ends before it is done, or takes too long. */
function failure(name: string, ended: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    ended.then(() => reject(new Error(`${name} ended before it was done`)), reject);
    setTimeout(() => reject(new Error(`${name}: too long`)), GIVE_UP_AFTER_MS).unref();
  });
}
