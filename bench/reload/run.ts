import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Kafka } from 'kafkajs';
import { stringify } from 'yaml';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { type Child, startChild } from '../child.ts';
import { countOf, readBooked } from '../engine-config.ts';
import { residentOctets } from '../process-figures.ts';
import { type CatalogueSize, targetOf, writeLargeCatalogue } from './large-catalogue.ts';

const WATCH_LOOP = fileURLToPath(new URL('./watch-loop.mjs', import.meta.url));
const PARTITIONS = 4;
const PRODUCE_INTERVAL_MS = 200;
const TARGETS = 50;
const TAKEN = 'the next batches are rated with another catalogue';
/** From the moment that the catalogue is taken over, so that batches which had begun before it are seen. */
const AFTER_TAKEN_MS = 3000;
const GIVE_UP_AFTER_MS = 10 * 60_000;

export interface ReloadRun {
  kafka: Kafka;
  broker: string;
  size: CatalogueSize;
  threads: number;
  recordsPerSecond: number;
  /** How long is looked at without a reload. */
  steadyMs: number;
  reloads: number;
  /** `main.js` of the engine. */
  program: string;
  seed: number;
}

/** Of a thread's event loop: the longest time until its next turn, and the most that the thread itself worked between two turns. */
export interface Pauses {
  pauseMs: number;
  workMs: number;
}

/** The worst of a stretch of time. */
export interface Waits {
  /** Of the threads that have engines alone; zeros where the main thread has the one. */
  engine: Pauses;
  main: Pauses;
  /** Longest way of a batch, from its first record to its last quota update. */
  batchMs: number;
  batches: number;
}

export interface ReloadFigures {
  threads: number;
  steady: Waits;
  reloads: (Waits & { seconds: number })[];
  /** Resident bytes of the engine's process: before the first reload, the most so far by then, the most in all, some seconds after the last. */
  resident: { before: number; peakBefore: number; peak: number; after: number };
}

/** Runs an engine that takes records at a steady rate, and gives it another large catalogue a few times. */
export async function runReloads(run: ReloadRun): Promise<ReloadFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-reload-'));
  const store = await startClickHouseProcess();
  const producer = run.kafka.producer({ allowAutoTopicCreation: false });
  const topic = `reload-${run.threads}`;
  const catalogue = join(folder, 'catalogue.yaml');
  const watch = new EngineWatch();
  let child: Child | null = null;
  let isDone = false;
  try {
    await createTopic(run.kafka, topic);
    await producer.connect();
    await writeLargeCatalogue(catalogue, run.size, 1);
    child = startEngine(run, watch, await writeConfig(folder, topic, run, store.url));
    const engine = child;
    const producing = produceUntil(() => isDone, run, producer, topic);
    await Promise.race([watch.until(() => watch.booked >= run.recordsPerSecond * 5), engine.ended]);
    const steady = await watch.during(() => pause(run.steadyMs));
    const before = await residentOctets(engine.pid);
    const reloads: ReloadFigures['reloads'] = [];
    for (let reload = 0; reload < run.reloads; reload++) {
      await writeLargeCatalogue(`${catalogue}.new`, run.size, 2 + (reload % 2));
      await rename(`${catalogue}.new`, catalogue);
      const beginMs = performance.now();
      let seconds = 0;
      const waits = await watch.during(async () => {
        const taken = watch.taken;
        process.kill(engine.pid, 'SIGHUP');
        await Promise.race([watch.until(() => watch.taken > taken), engine.ended]);
        seconds = (performance.now() - beginMs) / 1000;
        await pause(AFTER_TAKEN_MS);
      });
      reloads.push({ ...waits, seconds });
    }
    await pause(AFTER_TAKEN_MS);
    const after = await residentOctets(engine.pid);
    isDone = true;
    await producing;
    const resident = { before: before.now, peakBefore: before.peak, peak: after.peak, after: after.now };
    return { threads: run.threads, steady, reloads, resident };
  } finally {
    isDone = true;
    await child?.stop();
    await producer.disconnect();
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the engine's process says of itself. */
class EngineWatch {
  booked = 0;
  taken = 0;
  #waits: Waits = NO_WAITS;
  #onLine: () => void = () => {};

  line(line: string): void {
    const batch = readBooked(line);
    if (batch !== null) {
      this.booked += countOf(batch);
      const stages = [...Object.values(batch.durationMs), ...Object.values(batch.waitedMs)];
      const batchMs = stages.reduce((sum, ms) => sum + (ms ?? 0), 0);
      this.#waits = {
        ...this.#waits,
        batches: this.#waits.batches + 1,
        batchMs: Math.max(this.#waits.batchMs, batchMs),
      };
    } else if (line.includes('"pauseMs"')) this.#paused(JSON.parse(line));
    else if (line.includes(TAKEN)) this.taken++;
    this.#onLine();
  }

  #paused({ thread, pauseMs, workMs }: Pauses & { thread: 'main' | 'engine' }): void {
    const before = this.#waits[thread];
    const longest = { pauseMs: Math.max(before.pauseMs, pauseMs), workMs: Math.max(before.workMs, workMs) };
    this.#waits = { ...this.#waits, [thread]: longest };
  }

  async until(isSo: () => boolean): Promise<void> {
    const tooLong = AbortSignal.timeout(GIVE_UP_AFTER_MS);
    while (!isSo()) {
      tooLong.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }

  async during(work: () => Promise<void>): Promise<Waits> {
    this.#waits = NO_WAITS;
    await work();
    return this.#waits;
  }
}

const NO_PAUSE: Pauses = { pauseMs: 0, workMs: 0 };
const NO_WAITS: Waits = { engine: NO_PAUSE, main: NO_PAUSE, batchMs: 0, batches: 0 };

function startEngine({ program }: ReloadRun, watch: EngineWatch, config: string): Child {
  const env = { ZERORATE_LOG_LEVEL: 'debug', ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
  const args = ['--import', WATCH_LOOP, program, 'run', '--config', config];
  return startChild('the engine', { command: process.execPath, args, env }, (line) => watch.line(line));
}

async function writeConfig(folder: string, topic: string, run: ReloadRun, storeUrl: string): Promise<string> {
  const config = join(folder, 'zerorate.yaml');
  await writeFile(
    config,
    stringify({
      catalogue: 'catalogue.yaml',
      source: { kafka: { brokers: [run.broker], topic, groupId: topic } },
      store: { url: storeUrl, database: 'zerorate' },
      engine: { threads: run.threads },
      quotaUpdates: { topic: `${topic}-quota` },
    }),
  );
  return config;
}

async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] });
  await admin.disconnect();
}

async function produceUntil(
  isDone: () => boolean,
  { seed, size, recordsPerSecond }: ReloadRun,
  producer: Parameters<typeof produceRecords>[0]['producer'],
  topic: string,
): Promise<void> {
  const targets = Array.from({ length: TARGETS }, (_, i) => targetOf(i, size));
  const times = { startTimeMs: Date.UTC(2026, 9, 1), endTimeMs: Date.UTC(2026, 10, 1) };
  const records = Math.round((recordsPerSecond * PRODUCE_INTERVAL_MS) / 1000);
  let nextMs = performance.now();
  for (let round = 0; !isDone(); round++) {
    await produceRecords({
      producer,
      topic,
      options: { seed: seed + round, records, subscribers: 2000, targets, ...times },
    });
    nextMs += PRODUCE_INTERVAL_MS;
    await pause(Math.max(0, nextMs - performance.now()));
  }
}
