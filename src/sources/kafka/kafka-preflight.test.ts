import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../development/servers/free-port.ts';
import { requireKafka } from './kafka-preflight.ts';

const WITHIN_MS = 20_000;
const sockets: Socket[] = [];
const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A port that takes connections and never answers. */
async function silentPort(): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.each<[string, () => Promise<string>, RegExp]>([
  ['a port where nothing listens', async () => `127.0.0.1:${await freePort()}`, /nothing listens on the port/],
  ['a name that does not resolve', async () => 'broker.invalid:9092', /the host name does not resolve/],
  ['a port that is silent', silentPort, /no answer in time/],
])(
  '%s is reported in time, with the address and where it is set',
  async (_, address, message) => {
    const broker = await address();
    const beganAt = performance.now();
    const failure = await requireKafka({ brokers: [broker], clientId: 'test' }, 'flows').catch((error) => error);
    expect(performance.now() - beganAt).toBeLessThan(WITHIN_MS);
    expect(failure).toMatchObject({ code: 'kafka_unavailable', canRetry: true });
    expect(failure.message).toMatch(message);
    expect(failure.message).toContain(broker);
    expect(failure.message).toContain('source.kafka.brokers');
  },
  20_000,
);
