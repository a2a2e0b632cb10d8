import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withPorts } from '../../src/development/dev-folder.ts';
import { readDevSettings, usedPorts } from '../../src/development/dev-settings.ts';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { createTopics } from '../../src/development/start-programs.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../servers/kafka-server.ts';
import { PastedPage, type Shell } from './pasted-page.fixture.ts';

/** What a program prints when it runs. */
const RUNS: Readonly<Record<string, RegExp>> = {
  run: /partition assigned/,
  gateway: /takes connections/,
  dispatch: /dispatching at port/,
  proxy: /^proxy-1: /m,
  'message-host': /messages at/,
  terminal: /session at proxy-1/,
};
const TEST_TIMEOUT_MS = 300_000;

let page: PastedPage;

beforeAll(async () => {
  const broker = await startKafka();
  // The page as printed, except for the ports, which belong to whatever else runs on this machine.
  const ports = new Map<number, number>();
  for (const { port } of usedPorts(readDevSettings(packagePath('fixtures/demo')))) ports.set(port, await freePort());
  page = new PastedPage((text) => withPorts(text.replaceAll('localhost:9092', broker.brokers[0]), ports));
  page.endings.add(() => broker.stop());
  const { engine } = readDevSettings(join(page.directory, 'fixtures/demo'));
  await createTopics(
    createKafka({ brokers: broker.brokers, clientId: 'test' }),
    engine.source.kafka.topic,
    engine.quotaUpdates.topic,
  );
  const store = await startClickHouseProcess({
    path: join(page.directory, 'store'),
    port: Number(new URL(engine.store.url).port),
  });
  page.endings.add(() => store.stop());
}, TEST_TIMEOUT_MS);
afterAll(() => page?.endings.run(false));

const commandOf = (line: string) => /bin\/zerorate ([\w-]+)/.exec(line)?.[1] ?? '';

test(
  'what the page says, in its order: a text arrives, sponsored, and is charged',
  async () => {
    const blocks = page.blocksOf('docs/tutorials/sponsored-session.md');
    expect(blocks.map(({ how }) => how)).toEqual([
      'to its end',
      'each in a shell of its own',
      'to its end',
      'to its end',
    ]);
    const [setUp, programs, alice, charges] = blocks.map(({ script }) => script);
    await page.runToEnd(setUp);
    const lines = programs.trim().split('\n');
    expect(lines.map(commandOf)).toEqual(Object.keys(RUNS));
    const shells: Shell[] = [];
    for (const line of lines) shells.push(await page.startInShell(line, RUNS[commandOf(line)]));
    const bob = shells[shells.length - 1];
    const printed = await page.runToEnd(alice);
    expect(printed).toContain('sent, sponsored');
    expect(printed).toContain('call sponsored');
    expect(printed).toMatch(/[1-9]\d* datagrams sent, [1-9]\d* received/);
    expect(printed).toMatch(/session at proxy-1: .* used; \d+\.\d\d MiB \([\d ]+ octets\) left of the quota/);
    while (!bob.output().includes('alice: hello')) await pause(50);
    let charged = '';
    while (!/^pigeon\t\d+\t\d+$/m.test(charged)) {
      charged = await page.runToEnd(charges);
      await pause(500);
    }
  },
  TEST_TIMEOUT_MS,
);
