import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtModule } from '../../../test/servers/built.ts';
import { type KafkaServer, startKafka } from '../../../test/servers/kafka-server.ts';
import { freePort } from '../../development/servers/free-port.ts';
import { Random } from '../../generator/random.ts';
import { socksDial } from '../terminal/terminal-dial.ts';
import { askGateway, createTopic, keys, OPERATOR_SECRET, readRecords, testKafkaClient } from './gateway.fixture.ts';
import type { BearerAnswer } from './gateway-control.ts';

const SEED = 20_261_126;
const CRASHES = 5;
let server: KafkaServer;
let kafka: Kafka;
let main: string;
const folder = mkdtempSync(join(tmpdir(), 'zerorate-crash-'));

beforeAll(async () => {
  server = await startKafka();
  kafka = testKafkaClient(server.brokers);
  main = await builtModule('main.js');
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

function configFile(topic: string, userPlanePort: number, controlPort: number): string {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(join(folder, 'operator.secret'), OPERATOR_SECRET);
  writeFileSync(join(folder, 'identity.pem'), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(
    file,
    `nodeId: crashing-gateway
userPlane: { port: ${userPlanePort} }
control: { port: ${controlPort} }
operatorSecretFile: operator.secret
terminalAddresses: 127.78.0.0/24
identity: { issuer: operator, keyId: key-1, privateKeyFile: identity.pem }
kafka: { brokers: [${server.brokers.map((broker) => `"${broker}"`).join(', ')}], topic: ${topic} }
spool: spool
partialRecords: { intervalMs: 20, afterOctets: 2000 }
log: { level: warn }
`,
  );
  return file;
}

async function started(config: string, controlPort: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [main, 'gateway', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while ((await askGateway(controlPort, '/health/ready').catch(() => null))?.status !== 200) {
    if (child.exitCode !== null) throw new Error('the gateway did not start');
    await pause(50);
  }
  return child;
}

/** Sends a little again and again until its connection breaks. */
async function useUntilBroken(port: number, bearerId: string, destinationPort: number, random: Random): Promise<void> {
  const { socket } = await socksDial(
    { host: '127.0.0.1', port },
    bearerId,
  )({ host: '127.0.0.1', port: destinationPort });
  let isBroken = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    isBroken = true;
  });
  socket.resume();
  while (!isBroken) {
    socket.write(Buffer.alloc(random.integer(1, 3000)));
    await pause(random.integer(0, 4));
  }
}

test('a gateway that is killed again and again never uses a number for two records, and skips none', async () => {
  const random = new Random(SEED);
  const topic = await createTopic(kafka);
  const [userPlanePort, controlPort] = [await freePort(), await freePort()];
  const config = configFile(topic, userPlanePort, controlPort);
  const echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const destinationPort = (echo.address() as AddressInfo).port;

  for (let crash = 0; crash < CRASHES; crash++) {
    const gateway = await started(config, controlPort);
    const uses = Array.from({ length: 4 }, async (_, terminal) => {
      const body = { msisdn: String(15_550_300_000 + terminal) };
      const answer = await askGateway(controlPort, '/v1/bearers', { secret: OPERATOR_SECRET, body });
      const { bearerId } = (await answer.json()) as BearerAnswer;
      await useUntilBroken(userPlanePort, bearerId, destinationPort, random);
    });
    await pause(random.integer(300, 1200));
    gateway.kill('SIGKILL');
    await Promise.all(uses);
  }
  const last = await started(config, controlPort);
  last.kill('SIGTERM');
  expect((await once(last, 'exit'))[0], `seed ${SEED}`).toBe(0);
  echo.close();

  const contents = new Map<number, Set<string>>();
  for (const { record } of await readRecords(kafka, topic)) {
    const known = contents.get(record.localSequenceNumber) ?? new Set();
    contents.set(record.localSequenceNumber, known.add(JSON.stringify(record)));
  }
  for (const [number, records] of contents) expect(records.size, `number ${number}, seed ${SEED}`).toBe(1);
  const numbers = [...contents.keys()].sort((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  expect(numbers.length).toBeGreaterThan(100);
});
