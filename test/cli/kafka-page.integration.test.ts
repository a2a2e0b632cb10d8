import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { createTopics } from '../../src/development/start-programs.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { startKafka } from '../servers/kafka-server.ts';
import { PastedPage } from './pasted-page.fixture.ts';

const TEST_TIMEOUT_MS = 300_000;

let page: PastedPage;

beforeAll(async () => {
  const broker = await startKafka();
  const port = await freePort();
  page = new PastedPage((text) =>
    text.replaceAll('localhost:9092', broker.brokers[0]).replaceAll('localhost:8123', `localhost:${port}`),
  );
  page.endings.add(() => broker.stop());
  await createTopics(createKafka({ brokers: broker.brokers, clientId: 'test' }), 'flow-records', 'quota-updates');
  const store = await startClickHouseProcess({ path: join(page.directory, 'store'), port });
  page.endings.add(() => store.stop());
}, TEST_TIMEOUT_MS);
afterAll(() => page?.endings.run(false));

test(
  'what the page says, in its order: records are produced, and every one of them is booked',
  async () => {
    const blocks = page.blocksOf('docs/tutorials/kafka-and-clickhouse.md');
    expect(blocks.map(({ how }) => how)).toEqual([
      'to its end',
      'to its end',
      'each in a shell of its own',
      'to its end',
    ]);
    const [setUp, produce, engine, ask] = blocks.map(({ script }) => script);
    await page.runToEnd(setUp);
    const sent = Number(/^(\d+) records written to flow-records/m.exec(await page.runToEnd(produce))?.[1]);
    expect(sent).toBeGreaterThan(19_000);
    await page.startInShell(engine.trim(), /partition assigned/);
    let answer = '';
    const read = () =>
      [...answer.matchAll(/^flow-records-\d+\t(\d+)$/gm)].reduce((sum, [, records]) => sum + Number(records), 0);
    while (read() < sent) {
      await pause(500);
      answer = await page.runToEnd(ask);
    }
    expect(read()).toBe(sent);
    expect(answer).toMatch(/^chatter\tUSD\t-\d+$/m);
  },
  TEST_TIMEOUT_MS,
);
