import type { Admin } from 'kafkajs';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { startChild } from '../child.ts';
import { untilAssigned } from '../group.ts';
import { cpuSeconds, residentOctets } from '../process-figures.ts';
import { type Place, readTotals, type Side, type SideTotals } from './side.ts';

const GIVE_UP_AFTER_MS = 600_000;

export interface Measured {
  /** From the moment that the side's group has its partitions until all records are done. */
  seconds: number;
  /** User and system time of the process in that span, with all its threads and children; without the broker's. */
  cpuSeconds: number;
  /** The same of the store, where that is a process of its own. */
  storeCpuSeconds?: number;
  /** The most that was resident, from its start. */
  peakOctets: number;
  totals: SideTotals;
}

/** Runs one side over the whole topic, with a new store. Rejects when it ends before it is done, or takes too long. */
export async function measure(
  side: Side,
  place: Place,
  admin: Admin,
  group: string,
  records: number,
): Promise<Measured> {
  if (side.hasStoreServer === undefined) return run(side, place, admin, group, records, null);
  const store = await startClickHouseProcess();
  try {
    return await run(side, place, admin, group, records, store);
  } finally {
    await store.stop();
  }
}

async function run(
  side: Side,
  place: Place,
  admin: Admin,
  group: string,
  records: number,
  store: { url: string; pid: number } | null,
): Promise<Measured> {
  const storeSeconds = async () => (store === null ? 0 : cpuSeconds(store.pid));
  let totals: SideTotals = { records: 0 };
  let finish: (nowMs: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const child = startChild(side.name, await side.command(place, group, store?.url ?? ''), (line) => {
    totals = side.read(line, totals) ?? totals;
    if (totals.records >= records) finish(performance.now());
  });
  const done = Promise.race([finished, failure(side.name, child.ended)]);
  try {
    const begun = await Promise.race([untilAssigned(admin, group), done.then(() => null)]);
    if (begun === null) throw new Error(`${side.name} was done before its group was seen`);
    const [cpuBefore, storeBefore] = await Promise.all([cpuSeconds(child.pid), storeSeconds()]);
    const end = await done;
    const [cpuAfter, storeAfter] = await Promise.all([cpuSeconds(child.pid), storeSeconds()]);
    const { peak } = await residentOctets(child.pid);
    if (store !== null && side.totalsQuery !== undefined) totals = await queryTotals(store.url, side.totalsQuery);
    return {
      seconds: (end - begun) / 1000,
      cpuSeconds: cpuAfter - cpuBefore,
      ...(store !== null && { storeCpuSeconds: storeAfter - storeBefore }),
      peakOctets: peak,
      totals,
    };
  } finally {
    await child.stop();
  }
}

async function queryTotals(storeUrl: string, query: string): Promise<SideTotals> {
  const answer = await fetch(storeUrl, { method: 'POST', body: `${query} FORMAT JSONEachRow` });
  const text = await answer.text();
  const totals = answer.ok ? readTotals(text) : null;
  if (totals === null) throw new Error(`the store does not answer ${query}: ${text}`);
  return totals;
}

/** Rejects when the side ends before it is done, or takes too long. */
function failure(name: string, ended: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    ended.then(() => reject(new Error(`${name} ended before it was done`)), reject);
    setTimeout(() => reject(new Error(`${name}: too long`)), GIVE_UP_AFTER_MS).unref();
  });
}
