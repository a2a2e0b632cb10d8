import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { endProcess, JAVA, spawnJava } from './java-process.ts';
import { awaitKafka } from './kafka-ready.ts';
import { mavenJars } from './maven-artifacts.ts';
import { TestServerError } from './test-server-error.ts';

const KAFKA_VERSION = '4.4.0';

const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw';
const JAVA_OPTIONS = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
/** Half the processor time of a start: what is compiled further pays off after minutes of load only. */
const FAST_START = '-XX:TieredStopAtLevel=1';

/** One broker that is also its own controller, on the loopback interface, with its log in a temporary folder. */
export interface KafkaBroker {
  brokers: string[];
  /** Ends the broker and deletes its log; a log in a folder of the caller's stays. */
  stop(): Promise<void>;
  /** Ends the broker like a crash (SIGKILL). Its log stays. */
  kill(): Promise<void>;
  /**
   * Restarts the broker over the same log and on the same port, after `kill` or instead of a running one. After a kill the
   * controller waits for the old session to end: `broker.session.timeout.ms`, 9 seconds unless it is set.
   */
  restart(): Promise<void>;
}

/** Where a broker that is started again keeps its log and answers; absent: a temporary folder, free ports. */
export interface BrokerPlace {
  folder?: string;
  port?: number;
  controllerPort?: number;
  /** For benchmarks: Java compiles for throughput instead of a fast start. */
  isForLoad?: boolean;
}

/**
 * Starts a broker from the folder of Kafka's jars. `properties` override the defaults; in them PLAINTEXT_ADDRESS and
 * CONTROLLER_ADDRESS are replaced by the chosen addresses. `format` is added to the options that format the log.
 */
export async function startKafkaBroker(
  jars: string,
  properties: Record<string, string> = {},
  format: readonly string[] = [],
  place: BrokerPlace = {},
): Promise<KafkaBroker> {
  const folder = place.folder ?? (await mkdtemp(join(tmpdir(), 'zerorate-kafka-')));
  const address = `127.0.0.1:${place.port ?? (await freePort())}`;
  const controllerPort = place.controllerPort ?? (await freePort());
  const all = { ...brokerProperties(join(folder, 'log'), address, controllerPort), ...properties };
  const placed = (value: string) =>
    value.replace('PLAINTEXT_ADDRESS', address).replace('CONTROLLER_ADDRESS', `127.0.0.1:${controllerPort}`);
  const lines = Object.entries(all).map(([name, value]) => `${name}=${placed(value)}\n`);
  await writeFile(join(folder, 'server.properties'), lines.join(''));

  let running: ChildProcess | null = null;
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (running !== null) await endProcess(running, signal);
    running = null;
  }
  async function start(): Promise<void> {
    running = spawnBroker(jars, folder, place.isForLoad ?? false);
    await awaitBroker(running, address, folder);
  }
  async function stop(): Promise<void> {
    await end(place.folder === undefined ? 'SIGKILL' : 'SIGTERM');
    if (place.folder === undefined) await rm(folder, { recursive: true, force: true });
  }
  async function restart(): Promise<void> {
    await end('SIGTERM');
    await start();
  }

  try {
    if (!existsSync(join(folder, 'log', 'meta.properties'))) await formatLog(jars, folder, format);
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { brokers: [address], stop, kill: () => end('SIGKILL'), restart };
}

function brokerProperties(logFolder: string, address: string, controllerPort: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${address}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logFolder,
    // A test that forgets to create its topic fails here, as it would on a carrier's cluster.
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    'log.cleaner.dedupe.buffer.size': '16777216',
  };
}

/** Formats a broker's log. Without options of its own it is a copy of one that was formatted once, as that takes Java seconds. */
async function formatLog(jars: string, folder: string, more: readonly string[]): Promise<void> {
  if (more.length > 0) return runFormat(jars, folder, more);
  const formatted = `${jars}-formatted`;
  if (!existsSync(formatted)) await formatOnce(jars, formatted);
  await cp(formatted, join(folder, 'log'), { recursive: true });
}

async function formatOnce(jars: string, formatted: string): Promise<void> {
  const staging = await mkdtemp(`${formatted}.`);
  try {
    const properties = brokerProperties(join(staging, 'log'), '127.0.0.1:1', 2);
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(staging, 'server.properties'), lines.join(''));
    await runFormat(jars, staging, []);
    await rename(join(staging, 'log'), formatted).catch((error: NodeJS.ErrnoException) => {
      // Another process came first.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function runFormat(jars: string, folder: string, more: readonly string[]): Promise<void> {
  const tool = [FAST_START, '-cp', `${jars}/*`, 'kafka.tools.StorageTool'];
  try {
    const properties = join(folder, 'server.properties');
    await promisify(execFile)(JAVA, [...tool, 'format', '-t', CLUSTER_ID, '-c', properties, ...more]);
  } catch (cause) {
    throw new TestServerError('broker_exited', `Kafka needs Java 17 or newer: ${(cause as Error).message}`, cause);
  }
}

function spawnBroker(jars: string, folder: string, isForLoad: boolean): ChildProcess {
  const program = ['-cp', `${jars}/*`, 'kafka.Kafka', join(folder, 'server.properties')];
  return spawnJava([...JAVA_OPTIONS, ...(isForLoad ? [] : [FAST_START]), ...program], join(folder, 'server.log'));
}

async function awaitBroker(child: ChildProcess, address: string, folder: string): Promise<void> {
  const exited = new AbortController();
  child.once('exit', () => exited.abort());
  try {
    await awaitKafka([address], exited.signal);
  } catch (cause) {
    const log = await readFile(join(folder, 'server.log'), 'utf8');
    throw new TestServerError('broker_exited', `the Kafka broker did not start:\n${log.slice(-2000)}`, cause);
  }
}

/** Returns the folder of the jars of the broker and its clients. */
export function kafkaJars(): Promise<string> {
  const artifacts = [`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`, 'org.slf4j:slf4j-simple:1.7.36'];
  return mavenJars(`kafka-${KAFKA_VERSION}`, artifacts);
}
