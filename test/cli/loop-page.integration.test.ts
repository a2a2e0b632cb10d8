import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withPorts } from '../../src/development/dev-folder.ts';
import { readDevSettings, usedPorts } from '../../src/development/dev-settings.ts';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { createTopics } from '../../src/development/start-programs.ts';
import { Cleanups } from '../../src/platform/cleanups.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../servers/kafka-server.ts';

const BLOCK =
  /^<!-- not run: needs Kafka and a ClickHouse server; (to its end|each in a shell of its own) -->\n```sh\n([\s\S]*?)^```$/gm;
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

const endings = new Cleanups();
let directory: string;
let page: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-loop-page-'));
  endings.add(async () => rmSync(directory, { recursive: true, force: true }));
  for (const name of ['bin', 'dist', 'schemas']) symlinkSync(packagePath(name), join(directory, name));
  mkdirSync(join(directory, 'fixtures'));
  const demo = join(directory, 'fixtures', 'demo');
  cpSync(packagePath('fixtures/demo'), demo, { recursive: true });
  const broker = await startKafka();
  endings.add(() => broker.stop());
  // The page as printed, except for the ports, which belong to whatever else runs on this machine.
  const ports = new Map<number, number>();
  for (const { port } of usedPorts(readDevSettings(demo))) ports.set(port, await freePort());
  const moved = (text: string) => withPorts(text.replaceAll('localhost:9092', broker.brokers[0]), ports);
  for (const name of readdirSync(demo).filter((name) => name.endsWith('.yaml'))) {
    writeFileSync(join(demo, name), moved(readFileSync(join(demo, name), 'utf8')));
  }
  page = moved(readFileSync(packagePath('docs/loop.md'), 'utf8'));
  const { engine } = readDevSettings(demo);
  await createTopics(
    createKafka({ brokers: broker.brokers, clientId: 'test' }),
    engine.source.kafka.topic,
    engine.quotaUpdates.topic,
  );
  const store = await startClickHouseProcess({
    path: join(directory, 'store'),
    port: Number(new URL(engine.store.url).port),
  });
  endings.add(() => store.stop());
}, TEST_TIMEOUT_MS);
afterAll(() => endings.run(false));

/** As a reader would paste it; the first command that fails ends it. */
async function runToEnd(script: string): Promise<string> {
  const options = { cwd: directory, timeout: TEST_TIMEOUT_MS };
  return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options)).stdout;
}

interface Shell {
  child: ChildProcess;
  output: () => string;
}

/** Resolves when the program has printed that it runs. */
async function startInShell(line: string): Promise<Shell> {
  const command = /bin\/zerorate ([\w-]+)/.exec(line)?.[1] ?? '';
  const child = spawn('bash', ['-c', `${line.replace('bin/zerorate', 'exec bin/zerorate')}`], { cwd: directory });
  endings.add(async () => child.kill());
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  while (!RUNS[command].test(output)) {
    if (child.exitCode !== null) throw new Error(`${line}\n${output}`);
    await pause(50);
  }
  return { child, output: () => output };
}

test(
  'what the page says, in its order: a text arrives, sponsored, and is charged',
  async () => {
    const blocks = [...page.matchAll(BLOCK)].map(([, how, script]) => ({ how, script }));
    expect(blocks.map(({ how }) => how)).toEqual([
      'to its end',
      'each in a shell of its own',
      'to its end',
      'to its end',
    ]);
    const [setUp, programs, alice, charges] = blocks.map(({ script }) => script);
    await runToEnd(setUp);
    const lines = programs.trim().split('\n');
    expect(lines.map((line) => /bin\/zerorate ([\w-]+)/.exec(line)?.[1])).toEqual(Object.keys(RUNS));
    const shells: Shell[] = [];
    for (const line of lines) shells.push(await startInShell(line));
    const bob = shells[shells.length - 1];
    const printed = await runToEnd(alice);
    expect(printed).toContain('sent, sponsored');
    expect(printed).toContain('call sponsored');
    expect(printed).toMatch(/[1-9]\d* datagrams sent, [1-9]\d* received/);
    expect(printed).toMatch(/session at proxy-1: .* used; \d+\.\d\d MiB \([\d ]+ octets\) left of the quota/);
    while (!bob.output().includes('alice: hello')) await pause(50);
    let charged = '';
    while (!/^pigeon\t\d+\t\d+$/m.test(charged)) {
      charged = await runToEnd(charges);
      await pause(500);
    }
  },
  TEST_TIMEOUT_MS,
);
