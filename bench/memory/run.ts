import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { stringify } from 'yaml';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { type Child, startChild } from '../child.ts';
import { countOf, readBooked } from '../engine-config.ts';
import { residentOctets } from '../process-figures.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
/** So that every partition has subscribers of its own. */
const SUBSCRIBERS_PER_PARTITION = 100;
const GIVE_UP_AFTER_MS = 15 * 60_000;

export interface MemoryRun {
  kafka: Kafka;
  broker: string;
  partitions: number;
  /** Records of each partition before the engine is looked at for the first time. */
  firstRecords: number;
  /** Records that wait in each partition, on average, when the engine starts for the second time. */
  backlogRecords: number;
  /** From the last record that is booked to the look at the memory. */
  settleMs: number;
  /** `main.js` of the engine. */
  program: string;
  seed: number;
}

/** Resident memory of one engine process, in bytes. */
export interface EngineMemory {
  partitions: number;
  /** It has read a few records of each partition and waits for more. */
  caughtUp: number;
  caughtUpPeak: number;
  /** While it reads a backlog. */
  backlogPeak: number;
  /** It has read the backlog and waits for more. */
  afterBacklog: number;
  backlogRecords: number;
  backlogSeconds: number;
}

/** Starts an engine twice over one topic: with a few records in each partition, and with a backlog in each. */
export async function runMemory(run: MemoryRun): Promise<EngineMemory> {
  const { kafka, partitions, firstRecords, backlogRecords, settleMs, seed } = run;
  const topic = `memory-${partitions}`;
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-memory-'));
  const store = await startClickHouseProcess();
  const engine = async (records: number) => {
    const config = await writeConfig(folder, topic, run.broker, store.url);
    return startEngine(run.program, config, records);
  };
  try {
    await createTopic(kafka, topic, partitions);
    await produce(kafka, topic, seed, firstRecords * partitions, partitions);
    const first = await engine(firstRecords * partitions);
    await first.booked;
    await pause(settleMs);
    const caughtUp = await residentOctets(first.child.pid);
    await first.child.stop();

    await produce(kafka, topic, seed + 1, backlogRecords * partitions, partitions);
    const begunMs = performance.now();
    const second = await engine(backlogRecords * partitions);
    await second.booked;
    const backlogSeconds = (performance.now() - begunMs) / 1000;
    await pause(settleMs);
    const afterBacklog = await residentOctets(second.child.pid);
    await second.child.stop();
    return {
      partitions,
      caughtUp: caughtUp.now,
      caughtUpPeak: caughtUp.peak,
      backlogPeak: afterBacklog.peak,
      afterBacklog: afterBacklog.now,
      backlogRecords: backlogRecords * partitions,
      backlogSeconds,
    };
  } finally {
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** As an operator would have it: everything that has a default is left out. */
async function writeConfig(folder: string, topic: string, broker: string, storeUrl: string): Promise<string> {
  const config = join(folder, 'zerorate.yaml');
  await writeFile(
    config,
    stringify({
      catalogue: CATALOGUE,
      source: { kafka: { brokers: [broker], topic, groupId: topic } },
      store: { url: storeUrl, database: 'zerorate' },
      quotaUpdates: { topic: `${topic}-quota` },
    }),
  );
  return config;
}

async function startEngine(
  program: string,
  config: string,
  records: number,
): Promise<{ child: Child; booked: Promise<void> }> {
  let count = 0;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const env = { ZERORATE_LOG_LEVEL: 'debug', ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
  const command = { command: process.execPath, args: [program, 'run', '--config', config], env };
  const child = startChild('the engine', command, (line) => {
    const batch = readBooked(line);
    if (batch !== null) count += countOf(batch);
    if (count >= records) finish();
  });
  const tooLong = new Promise<never>((_, reject) => {
    setTimeout(
      () => reject(new Error(`${count} of ${records} records are booked: too slow`)),
      GIVE_UP_AFTER_MS,
    ).unref();
  });
  const ended = child.ended.then(() => {
    if (count < records) throw new Error('the engine has ended by itself');
  });
  const booked = Promise.race([finished, tooLong, ended]);
  booked.catch(() => {});
  return { child, booked };
}

async function createTopic(kafka: Kafka, topic: string, partitions: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] });
  await admin.disconnect();
}

async function produce(kafka: Kafka, topic: string, seed: number, records: number, partitions: number): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const { catalogue } = parseCatalogue(readFileSync(CATALOGUE, 'utf8'), CATALOGUE);
  const times = { startTimeMs: Date.UTC(2026, 9, 1), endTimeMs: Date.UTC(2026, 10, 1) };
  const subscribers = partitions * SUBSCRIBERS_PER_PARTITION;
  const options = { seed, records, subscribers, targets: catalogue?.applications ?? [], ...times };
  // Each run of records has nodes' numbers of its own: none repeats what the run before had.
  await produceRecords({ producer, topic, options });
  await producer.disconnect();
}
