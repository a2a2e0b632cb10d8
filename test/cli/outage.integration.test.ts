import { writeFile } from 'node:fs/promises';
import kafkajs, { logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/development/servers/free-port.ts';
import { type KafkaBroker, kafkaJars, startKafkaBroker } from '../../src/development/servers/kafka-broker.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { becomesTrue } from '../chaos/wait.ts';
import { RunningZerorate } from './running-zerorate.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

let broker: KafkaBroker;
let zerorate: Zerorate;
let port: number;

beforeAll(async () => {
  [broker, zerorate, port] = await Promise.all([
    kafkaJars().then((jars) => startKafkaBroker(jars)),
    Zerorate.build(),
    freePort(),
  ]);
  const admin = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic: 'flows', numPartitions: 2 },
      { topic: 'quotas', numPartitions: 1 },
    ],
  });
  await admin.disconnect();
  await writeFile(
    zerorate.path('outage.yaml'),
    `catalogue: ${packagePath('fixtures/demo/catalogue.yaml')}
source: { kafka: { brokers: ["${broker.brokers[0]}"], topic: flows, valueFormat: json, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 } }
store: { dir: store }
quotaUpdates: { topic: quotas }
health: { port: ${port} }
`,
  );
});
afterAll(async () => {
  await broker?.stop();
  await zerorate?.remove();
});

async function problems(): Promise<Record<string, string>> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  return ((await response.json()) as { problems: Record<string, string> }).problems;
}

test('an outage has one line at its beginning and one at its end, and a stop without a broker ends in time with code 0', async () => {
  const engine = await RunningZerorate.start(zerorate, ['--config', 'outage.yaml'], { ZERORATE_LOG_LEVEL: 'info' });
  await engine.line(({ msg, partition }) => msg === 'partition assigned' && partition === 1);
  await engine.line(({ msg }) => msg.includes('cleanup.policy=delete') && msg.includes('--entity-name quotas'));
  const from = engine.lines.length;
  await broker.kill();
  expect(await becomesTrue(async () => 'brokers' in (await problems()), 30_000)).toBe(true);
  await broker.restart();
  await engine.line(({ msg }) => msg.startsWith('Kafka answers again'), from);
  expect(await becomesTrue(async () => Object.keys(await problems()).length === 0, 60_000)).toBe(true);
  const said = engine.lines.slice(from).map(({ msg }) => msg);
  expect(said.filter((msg) => msg.startsWith('Kafka is away'))).toHaveLength(1);
  expect(said.filter((msg) => msg.startsWith('Kafka answers again'))).toHaveLength(1);
  expect(engine.lines.slice(from).filter(({ component }) => String(component).startsWith('kafkajs'))).toEqual([]);

  await broker.kill();
  await engine.line(({ msg }) => msg.startsWith('Kafka is away'), from + said.length);
  expect(await engine.stop()).toBe(0);
});
