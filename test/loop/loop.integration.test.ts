import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type LoopOptions, runLoop } from './loop.ts';

const SEED = 20_261_127;
const TERMINALS = 12;
/** Of each terminal: what sockets on the way hold. */
const IN_FLIGHT_OCTETS = TERMINALS * 256 * 1024;

async function differencesOf(options: LoopOptions): Promise<string[]> {
  const lines: string[] = [];
  const found = await runLoop({ terminals: TERMINALS, seed: SEED, print: (text) => lines.push(text), ...options });
  if (found.length > 0) process.stderr.write(`${lines.join('\n')}\n`);
  return found;
}

test('every octet is accounted for', async () => {
  expect(await differencesOf({})).toEqual([]);
});

test('while the dispatch server is away sessions continue, and it hears of all of them afterwards', async () => {
  const found = await differencesOf({
    // A request to the server was under way when it was killed, at most one of each terminal.
    inFlightOctets: TERMINALS * 2048,
    async meanwhile({ dispatch }) {
      await pause(1500);
      await dispatch.kill();
      await pause(2000);
      await dispatch.start();
    },
  });
  expect(found).toEqual([]);
});

test('while Kafka is away the gateway keeps its records, and the totals hold', async () => {
  const found = await differencesOf({
    async meanwhile({ broker }) {
      await pause(1500);
      await broker.kill?.();
      await pause(3000);
      await broker.restart?.();
    },
  });
  expect(found).toEqual([]);
});

test('a proxy that is killed reports what it had passed on once it is back', async () => {
  const found = await differencesOf({
    inFlightOctets: IN_FLIGHT_OCTETS,
    async meanwhile({ proxies }) {
      await pause(1500);
      await proxies[0].kill();
      await pause(1000);
      await proxies[0].start();
    },
  });
  expect(found).toEqual([]);
});
