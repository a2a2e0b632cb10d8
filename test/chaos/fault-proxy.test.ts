import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy, type ProxyFault } from './fault-proxy.ts';
import { becomesTrue } from './wait.ts';

const INSERT =
  "INSERT INTO journal (a) SETTINGS insert_deduplication_token = 'flows-0@6' SELECT a FROM input() FORMAT Native";
const BODY = '0123456789';

let server: Server;
let proxy: FaultProxy;
/** Complete requests that arrived: statement and body. */
let arrived: string[];
/** Requests that broke off. */
let broken: number;

beforeEach(async () => {
  arrived = [];
  broken = 0;
  server = createServer(async (request, response) => {
    try {
      const body = (await buffer(request)).toString();
      const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
      arrived.push(searchParams.has('query') ? `${searchParams.get('query')?.slice(0, 6)} ${body}` : body);
      response.setHeader('X-ClickHouse-Summary', 'kept').end('the answer');
    } catch {
      broken++;
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = new FaultProxy({ upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  await proxy.start();
});
afterEach(async () => {
  await proxy.stop();
  server.closeAllConnections();
  server.close();
});

function insert(): Promise<string> {
  return ask(`${proxy.url}/?query=${encodeURIComponent(INSERT)}`, BODY);
}

function query(): Promise<string> {
  return ask(proxy.url, 'SELECT 1');
}

/** Returns the answer's text, or `broken`. */
async function ask(url: string, body: string): Promise<string> {
  try {
    const response = await fetch(url, { method: 'POST', body });
    return `${response.headers.get('X-ClickHouse-Summary')}: ${await response.text()}`;
  } catch {
    return 'broken';
  }
}

const answer = 'kept: the answer';

test('forwards requests without an armed fault, and applies one only so often', async () => {
  proxy.arm({ kind: 'answer_dropped', hangMs: 0 }, 'insert', 2);
  expect([await query(), await insert(), await insert(), await insert()]).toEqual([answer, 'broken', 'broken', answer]);
  expect(arrived).toEqual(['SELECT 1', `INSERT ${BODY}`, `INSERT ${BODY}`, `INSERT ${BODY}`]);
});

test.each<[fault: ProxyFault, answer: string, arrived: string[]]>([
  [{ kind: 'slow', delayMs: 20 }, answer, [`INSERT ${BODY}`]],
  [{ kind: 'answer_dropped', hangMs: 20 }, 'broken', [`INSERT ${BODY}`]],
  [{ kind: 'reset_in_answer' }, 'broken', [`INSERT ${BODY}`]],
  [{ kind: 'truncated_body' }, 'broken', ['INSERT 01234']],
  [{ kind: 'lands_late', delayMs: 200 }, 'broken', []],
  [{ kind: 'lands_with_next' }, 'broken', []],
])('%j', async (fault, expected, arrivedBefore) => {
  proxy.arm(fault, 'insert');
  expect(await insert()).toBe(expected);
  expect(arrived).toEqual(arrivedBefore);
  // Nothing is lost: a late request arrives at the latest when the proxy is stopped.
  await proxy.stop();
  expect(arrived).toHaveLength(1);
});

test('a reset in the body breaks both connections in the middle', async () => {
  proxy.arm({ kind: 'reset_in_body' }, 'any');
  expect(await insert()).toBe('broken');
  expect(await becomesTrue(() => broken === 1, 5000)).toBe(true);
  expect(arrived).toEqual([]);
});

test('a request that is held back goes with the next insert of its lane', async () => {
  proxy.arm({ kind: 'lands_with_next' }, 'insert', 2);
  const first = await insert();
  // The second one releases the first one, and is itself held back.
  expect([first, await insert()]).toEqual(['broken', 'broken']);
  expect(await becomesTrue(() => arrived.length === 1, 5000)).toBe(true);
  expect(await query()).toBe(answer);
  expect(arrived).toHaveLength(2);
  expect(await insert()).toBe(answer);
  expect(await becomesTrue(() => arrived.length === 4, 5000)).toBe(true);
});

test('refuses connections, and comes back on the same port', async () => {
  const { url } = proxy;
  await proxy.refuse();
  expect(await query()).toBe('broken');
  await proxy.start();
  expect([proxy.url, await query()]).toEqual([url, answer]);
});

test('a fault that is disarmed does nothing', async () => {
  const armed = proxy.arm({ kind: 'truncated_body' }, 'any', 3);
  expect(await query()).toBe('broken');
  proxy.disarm(armed);
  expect([await query(), armed.left]).toEqual([answer, 2]);
});
