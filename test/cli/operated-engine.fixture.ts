import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import kafkajs, { type Admin, type Kafka, logLevel, type Message } from 'kafkajs';
import { freePort } from '../../src/development/servers/free-port.ts';
import type { Scraped } from '../../src/engine/metrics/promtool.fixture.ts';
import { type Scrape, scrape } from '../../src/engine/metrics/scrape.fixture.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { becomesTrue } from '../chaos/wait.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { RunningZerorate } from './running-zerorate.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8');
const PATIENCE_MS = 60_000;

/** A broker, and engines that are run and scraped one after the other, each over a topic, a store and a catalogue of its own. */
export class OperatedEngines {
  readonly zerorate: Zerorate;
  readonly port: number;
  readonly admin: Admin;
  readonly #server: KafkaServer;
  readonly #kafka: Kafka;
  #running: RunningZerorate[] = [];

  private constructor(server: KafkaServer, zerorate: Zerorate, port: number) {
    this.#server = server;
    this.zerorate = zerorate;
    this.port = port;
    this.#kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
    this.admin = this.#kafka.admin();
  }

  static async start(): Promise<OperatedEngines> {
    const engines = new OperatedEngines(...(await Promise.all([startKafka(), Zerorate.build(), freePort()])));
    await engines.admin.connect();
    return engines;
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
    await this.#server.stop();
    await this.zerorate.remove();
  }

  /** What a failed test has left would keep the port. */
  async endAll(): Promise<void> {
    for (const engine of this.#running) engine.signal('SIGKILL');
    await Promise.all(this.#running.map(({ ended }) => ended));
    this.#running = [];
  }

  /** A topic and a configuration of that name; gives what the commands take for it. */
  async configure(name: string): Promise<string[]> {
    await this.admin.createTopics({ topics: [{ topic: name, numPartitions: 2, replicationFactor: 1 }] });
    await this.editCatalogue(name, (text) => text);
    await writeFile(
      this.zerorate.path(`${name}.yaml`),
      `catalogue: ${name}-catalogue.yaml
source:
  kafka: { brokers: ["${this.#server.brokers.join('", "')}"], topic: ${name}, groupId: ${name}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { dir: ${name} }
quotaUpdates: { topic: ${name}-quota }
batch: { maxRecords: 200, maxDelayMs: 100 }
credit: { checkIntervalMs: 200 }
sequences: { checkIntervalMs: 200 }
health: { port: ${this.port}, exitDelayMs: 60000 }
`,
    );
    return ['--config', `${name}.yaml`];
  }

  /** The demo's catalogue, changed, becomes the file of that configuration. */
  editCatalogue(name: string, change: (text: string) => string): Promise<void> {
    return writeFile(this.zerorate.path(`${name}-catalogue.yaml`), change(CATALOGUE));
  }

  async run(config: readonly string[], env: Record<string, string> = {}): Promise<RunningZerorate> {
    const engine = await RunningZerorate.start(this.zerorate, config, env);
    this.#running.push(engine);
    return engine;
  }

  /** Generated records. Nodes are named after the seed: with another one they are other records. */
  async produce(topic: string, seed: number, records: number, malformed = 0): Promise<void> {
    const { catalogue } = parseCatalogue(CATALOGUE, 'catalogue.yaml');
    const times = { startTimeMs: Date.UTC(2026, 9, 1), endTimeMs: Date.UTC(2026, 10, 1) };
    const options = { seed, records, subscribers: 40, targets: catalogue?.applications ?? [], malformed, ...times };
    const producer = this.#kafka.producer();
    await producer.connect();
    await produceRecords({ producer, topic, options });
    await producer.disconnect();
  }

  async send(topic: string, messages: Message[]): Promise<void> {
    const producer = this.#kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** Scrapes until it is as it should be. */
  async scraped(isThere: (scrape: Scrape) => boolean): Promise<Scrape> {
    let last: Scrape | null = null;
    const came = await becomesTrue(async () => {
      last = await scrape(this.port).catch(() => null);
      return last !== null && isThere(last);
    }, PATIENCE_MS);
    if (!came || last === null) throw new Error(`never came: ${JSON.stringify(last)}`);
    return last;
  }
}

/** Half an hour from the one to the other. */
export function halfAnHour(before: Scrape, after: Scrape): Scraped[] {
  return [
    { scrape: before, minutes: 5 },
    { scrape: after, minutes: 30 },
  ];
}
