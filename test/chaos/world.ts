import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import { freePort } from '../../src/development/servers/free-port.ts';
import { Random } from '../../src/generator/random.ts';
import { Cleanups } from '../../src/platform/cleanups.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { ChaosStore } from './chaos-store.ts';
import { engineConfig } from './engine-config.ts';
import { EngineSlot } from './engine-slot.ts';
import { FaultProxy, type HeldBack, type RewriteInsert } from './fault-proxy.ts';
import { JournalWatch } from './journal-watch.ts';
import { makeSmallDisk, type SmallDisk } from './small-disk.ts';
import { Traffic } from './traffic.ts';
import { Turns } from './wait.ts';

export const PARTITIONS = 4;
const TOPIC = 'flows';
const DATABASE = 'chaos';
const DISK_OCTETS = 2 ** 30;
const RECORDS_PER_SECOND = 500;
const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const MEMORY_CHECK_INTERVAL_MS = 500;

export interface WorldOptions {
  seed: number;
  engines: number;
  rewriteInsert?: RewriteInsert;
}

/** The real parts that the faults apply to. */
export interface World {
  /** Logs and data. */
  folder: string;
  /** The configuration of engines and audit; engines reach the store through proxies of their own instead. */
  config: string;
  environment: Readonly<Record<string, string>>;
  topic: string;
  sessionTimeoutMs: number;
  broker: KafkaServer;
  kafka: Kafka;
  store: ChaosStore;
  disk: SmallDisk;
  engines: EngineSlot[];
  /** The engine that joins and leaves. */
  visitor: EngineSlot;
  traffic: Traffic;
  watch: JournalWatch;
  turns: Turns;
  /** Of all engines. */
  counts(): { booked: number; fenced: number; died: number };
  /** Ends every process. `keep`: leaves the folder and the small disk. */
  end(options: { keep: boolean }): Promise<void>;
}

/** Starts everything but the traffic. `end` ends what was started, at any time. */
export function createWorld(options: WorldOptions): { ready: Promise<World>; end: World['end'] } {
  const cleanups = new Cleanups();
  const end = ({ keep }: { keep: boolean }) => cleanups.run(keep);
  return { ready: buildWorld(options, cleanups, end), end };
}

async function buildWorld(options: WorldOptions, cleanups: Cleanups, end: World['end']): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-chaos-'));
  cleanups.add(async (keep) => keep || rm(folder, { recursive: true, force: true }));
  const disk = await makeSmallDisk(join(folder, 'disk'), DISK_OCTETS);
  cleanups.add(async (keep) => keep || disk.remove());
  const store = new ChaosStore(join(disk.path, 'clickhouse'), await freePort());
  await mkdir(join(disk.path, 'clickhouse'));
  cleanups.add(() => store.kill());
  await store.start();
  const broker = await startBroker();
  cleanups.add(() => broker.stop());
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'chaos' });
  await createTopic(kafka);

  const sessionTimeoutMs = broker.kill === undefined ? 6000 : 3000;
  const config = join(folder, 'zerorate.yaml');
  const place = { brokers: broker.brokers, topic: TOPIC, storeUrl: store.url, database: DATABASE };
  await writeFile(config, engineConfig({ ...place, catalogue: CATALOGUE, sessionTimeoutMs }));
  const environment = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
  const slots = await startSlots(options, { folder, config, environment, store }, cleanups);
  const traffic = new Traffic({
    kafka,
    topic: TOPIC,
    seed: options.seed,
    targets: applications(),
    recordsPerSecond: RECORDS_PER_SECOND,
  });
  cleanups.add(() => traffic.close());
  return {
    folder,
    config,
    environment,
    topic: TOPIC,
    sessionTimeoutMs,
    broker,
    kafka,
    store,
    disk,
    engines: slots.slice(0, -1),
    visitor: slots[slots.length - 1],
    traffic,
    watch: new JournalWatch(store.url, DATABASE),
    turns: new Turns(),
    counts: () => sumOf(slots),
    end,
  };
}

function startBroker(): Promise<KafkaServer> {
  return startKafka({
    properties: {
      'broker.session.timeout.ms': '2000',
      'broker.heartbeat.interval.ms': '500',
      'group.min.session.timeout.ms': '1000',
    },
  });
}

async function createTopic(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1 }] });
  } finally {
    await admin.disconnect();
  }
}

function applications() {
  const parsed = parseCatalogue(readFileSync(CATALOGUE, 'utf8'), CATALOGUE);
  if (parsed.faults !== undefined) throw new Error(`${CATALOGUE} has faults`);
  return parsed.catalogue.applications;
}

async function startSlots(
  { seed, engines, rewriteInsert }: WorldOptions,
  { folder, config, environment, store }: Pick<World, 'folder' | 'config' | 'environment' | 'store'>,
  cleanups: Cleanups,
): Promise<EngineSlot[]> {
  const heldBack: HeldBack = new Map();
  const random = new Random(seed);
  const slots: EngineSlot[] = [];
  for (let index = 0; index <= engines; index++) {
    const name = `engine-${index + 1}`;
    const proxy = new FaultProxy({ upstream: store.url, heldBack, ...(rewriteInsert && { rewriteInsert }) });
    await proxy.start();
    const drawBatchRecords = () => random.integer(20, 200);
    // Half of the engines let quota updates wait.
    const drawQuotaIntervalMs = () => random.pick([0, 0, 300, 3000]);
    const logFile = join(folder, `${name}.log`);
    const threads = index === seed % engines ? 2 : 1;
    const slot = new EngineSlot({
      name,
      config,
      proxy,
      logFile,
      drawBatchRecords,
      drawQuotaIntervalMs,
      environment: { ...environment, ZERORATE_ENGINE_THREADS: String(threads) },
    });
    cleanups.add(async () => {
      await slot.kill();
      slot.close();
      await proxy.stop();
    });
    slots.push(slot);
  }
  const memory = setInterval(() => {
    for (const slot of slots) slot.lookAtMemory();
  }, MEMORY_CHECK_INTERVAL_MS);
  cleanups.add(async () => clearInterval(memory));
  return slots;
}

function sumOf(slots: readonly EngineSlot[]): { booked: number; fenced: number; died: number } {
  const sum = { booked: 0, fenced: 0, died: 0 };
  for (const { counts } of slots) {
    sum.booked += counts.booked;
    sum.fenced += counts.fenced;
    sum.died += counts.died;
  }
  return sum;
}
