import { cpus } from 'node:os';
import type { Admin, Kafka } from 'kafkajs';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { type Child, type Command, startChild } from '../child.ts';
import { countOf, engineCommand, readBooked } from '../engine-config.ts';
import { untilAssigned } from '../group.ts';
import { cpuSeconds } from '../process-figures.ts';
import { createTopics } from '../throughput/dataset.ts';

const GIVE_UP_AFTER_MS = 600_000;

export interface ScalingRun {
  kafka: Kafka;
  broker: string;
  admin: Admin;
  /** Processes that share the topic's partitions, and the threads of each. */
  side: ScalingSide;
  /** Cores that they run on, as `taskset` takes them; null: all. */
  cores: string | null;
  group: string;
  /** Of the whole topic. */
  records: number;
}

export interface ScalingSide {
  engines: number;
  threads: number;
}

export interface Scaled {
  /** From the moment that all engines have their partitions until all records are booked. */
  seconds: number;
  recordsPerSecond: number;
  /** Records that each engine booked, in that time. */
  shares: number[];
  /** Time on a core, in that time: of all engines, of the store, and of everything on the machine, idle cores left out. */
  engineSeconds: number;
  storeSeconds: number;
  busySeconds: number;
}

/** So many engine processes read the topic, as one group, into a new store that a server of its own serves over HTTP. */
export async function runScaled(run: ScalingRun): Promise<Scaled> {
  const { kafka, broker, admin, cores, group, records } = run;
  const { engines, threads } = run.side;
  await createTopics(kafka, [`${group}-quota`]);
  const store = await startClickHouseProcess();
  const booked = new Array<number>(engines).fill(0);
  const total = () => booked.reduce((sum, count) => sum + count, 0);
  let finish: (nowMs: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const children: Child[] = [];
  const start = async (index: number) => {
    const command = await engineCommand({ broker, group, threads, store: { url: store.url, database: 'zerorate' } });
    return startChild(`engine ${index + 1}`, onCores(command, cores), (line) => {
      const batch = readBooked(line);
      if (batch === null) return;
      booked[index] += countOf(batch);
      if (total() >= records) finish(performance.now());
    });
  };
  try {
    for (let index = 0; index < engines; index++) children.push(await start(index));
    const failure = failed(children);
    const begunMs = await Promise.race([untilAssigned(admin, group, engines * threads), failure]);
    const before = { booked: [...booked], ...(await coreSeconds(children, store.pid)) };
    const endMs = await Promise.race([finished, failure]);
    const after = await coreSeconds(children, store.pid);
    const seconds = (endMs - begunMs) / 1000;
    const shares = booked.map((count, index) => count - before.booked[index]);
    return {
      seconds,
      recordsPerSecond: shares.reduce((sum, count) => sum + count, 0) / seconds,
      shares,
      engineSeconds: after.engines - before.engines,
      storeSeconds: after.store - before.store,
      busySeconds: after.busy - before.busy,
    };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await store.stop();
  }
}

function onCores(command: Command, cores: string | null): Command {
  if (cores === null) return command;
  return { ...command, command: 'taskset', args: ['-c', cores, command.command, ...command.args] };
}

function failed(children: readonly Child[]): Promise<never> {
  return new Promise((_, reject) => {
    for (const { ended } of children) ended.then(() => reject(new Error('an engine ended by itself')), reject);
    setTimeout(() => reject(new Error('too long')), GIVE_UP_AFTER_MS).unref();
  });
}

async function coreSeconds(children: readonly Child[], storePid: number) {
  const each = await Promise.all(children.map(({ pid }) => cpuSeconds(pid)));
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return {
    engines: each.reduce((sum, seconds) => sum + seconds, 0),
    store: await cpuSeconds(storePid),
    busy: busyMs / 1000,
  };
}
