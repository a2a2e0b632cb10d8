import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that a system gives to outgoing connections (Linux: from 32768 on), of which some process takes one any moment. */
const [FIRST, END] = [10_000, 32_768];
const ATTEMPTS = 100;
/** What this process was given: it may not have been used yet. */
const given = new Set<number>();

/** Returns a TCP port of the loopback interface that is free now, another one each time, and that no outgoing connection takes before it is used. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, END);
    if (given.has(port)) continue;
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    given.add(port);
    return port;
  }
  throw new Error(`no free port between ${FIRST} and ${END} after ${ATTEMPTS} attempts`);
}
