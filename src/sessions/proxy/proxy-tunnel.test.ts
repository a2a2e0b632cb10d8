import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Admitted } from './admission.ts';
import type { Accepted } from './listener.ts';
import { type ConnectionServices, Tunnel } from './proxy-tunnel.ts';

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** Both ends of a connection. */
async function connection(): Promise<{ client: Socket; raw: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [raw] = (await once(server, 'connection')) as [Socket];
  endings.push(
    () => [client, raw].map((socket) => socket.destroy()),
    () => server.close(),
  );
  return { client, raw };
}

/** A tunnel that is marked when `marked` resolves, and what its session has counted. */
async function tunnelOf(marked: Promise<void>) {
  const [terminal, host] = [await connection(), await connection()];
  const counted = { octets: 0 };
  const session = {
    isSponsored: () => true,
    touch: () => {},
    room: (_type: number, octets: number) => octets,
    count: (_type: number, { uplinkOctets, downlinkOctets }: { uplinkOctets: number; downlinkOctets: number }) => {
      counted.octets += uplinkOctets + downlinkOctets;
      return false;
    },
  };
  const services = {
    registry: { join() {}, leave() {} },
    marks: { mark: () => marked },
    buffers: { hold: () => {}, release: () => {} },
    clock: { monotonicMs: () => 0 },
  };
  const tunnel = new Tunnel(
    { raw: terminal.raw, stream: terminal.raw } as unknown as Accepted,
    {
      type: 4,
      session,
      application: { zeroRatingTag: 'TAG' },
      contentType: 'other',
      payer: 'by_credit',
    } as unknown as Admitted,
    services as unknown as ConnectionServices,
  );
  terminal.raw.read();
  return { tunnel, terminal, host: host.raw, counted };
}

test('what came before the network knew whose it is counts once the tunnel begins', async () => {
  const { tunnel, terminal, host, counted } = await tunnelOf(Promise.resolve());
  terminal.client.write('CONNECT');
  await once(terminal.raw, 'readable');
  await tunnel.open(host, 'OK', Buffer.alloc(0));
  terminal.raw.destroy();
  await once(terminal.raw, 'close');
  expect(counted.octets).toBe('CONNECT'.length + 'OK'.length);
});

test('a tunnel that ends before the network knew whose it is has carried nothing', async () => {
  const { tunnel, terminal, host, counted } = await tunnelOf(new Promise(() => {}));
  terminal.client.write('CONNECT');
  await once(terminal.raw, 'readable');
  void tunnel.open(host, 'OK', Buffer.alloc(0));
  await pause(10);
  terminal.raw.destroy();
  await once(terminal.raw, 'close');
  expect(counted.octets).toBe(0);
});
