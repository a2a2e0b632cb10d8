import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Announcement } from '../../protocol/dispatch-messages.ts';
import type { Granted } from '../fake-dispatch.fixture.ts';
import { type FakeGateway, startGateway, startWorld, until, type World } from '../proxy.fixture.ts';
import type { DatagramDrop } from './datagram-drops.ts';
import { startUdpHost, UdpClient, type UdpHost } from './udp-client.fixture.ts';

export const IDLE_MS = 3000;
export let world: World;
export let gateway: FakeGateway;
export let voice: UdpHost;
export let video: UdpHost;
export let six: UdpHost;
export const names = new Map<string, string[]>();
export const clients: UdpClient[] = [];

/** Starts a proxy with hosts of calls before the tests of a file, and clears what each test leaves. */
export function useCallWorld(): void {
  beforeAll(async () => {
    [voice, video, six] = [await startUdpHost(), await startUdpHost(), await startUdpHost(undefined, '::1')];
    gateway = await startGateway();
    const udp = { protocol: 'udp', contentType: 'voice' };
    world = await startWorld({
      application: {
        zeroRatingTag: 'CALL',
        allowPrivate: ['127.0.0.0/8', '::1/128'],
        hosts: [
          { ...udp, host: '127.0.0.1', ports: [voice.port] },
          { ...udp, host: '*.chat.example', ports: [voice.port] },
          { ...udp, host: '127.0.0.1', ports: [video.port], contentType: 'video' },
          { ...udp, host: '::1', ports: [six.port] },
          { ...udp, host: '10.0.0.1', ports: [voice.port] },
          { protocol: 'tcp', host: 'localhost', ports: [voice.port] },
        ],
      },
      more: {
        gateway: { url: gateway.url },
        limits: {
          connectTimeoutMs: 500,
          udp: {
            associations: 8,
            associationsPerSession: 3,
            associationsPerAddress: 6,
            destinations: 4,
            datagramBytes: 2000,
            queuedBytes: 20_000,
            idleTimeoutMs: IDLE_MS,
          },
        },
      },
      resolve: async (host) => {
        if (host === 'slow.chat.example') await pause(300);
        const addresses = names.get(host);
        if (addresses === undefined) throw new Error(`no such name: ${host}`);
        return addresses;
      },
    });
    for (const name of ['a', 'slow', 'rebound']) names.set(`${name}.chat.example`, ['127.0.0.1']);
    names.set('both.chat.example', ['127.0.0.1', '169.254.169.254']);
  });
  afterAll(async () => {
    await world?.stop();
    gateway?.stop();
    for (const host of [voice, video, six]) host?.stop();
  });

  beforeEach(() => {
    for (const host of [voice, video, six]) host.received.length = 0;
    gateway.marks.length = 0;
    gateway.answer = null;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    await until(() => world.proxy.figures().associations === 0);
  });
}

export async function associated(
  terms: Partial<Announcement> = {},
  options: Parameters<typeof UdpClient.open>[2] = {},
) {
  const granted = await world.dispatch.grant(terms);
  return { granted, client: await opened(granted, options) };
}

export async function opened(granted: Granted, options: Parameters<typeof UdpClient.open>[2] = {}): Promise<UdpClient> {
  const client = await UdpClient.open(world.proxy.endpoints.socks5, granted, options);
  clients.push(client);
  return client;
}

export const dropped = (reason: DatagramDrop) => world.proxy.figures().datagramsDropped[reason];
/** Runs `act`, and resolves when so many datagrams more have been dropped for the reason. */
export async function drops(reason: DatagramDrop, count: number, act: () => Promise<unknown>): Promise<void> {
  const before = dropped(reason);
  await act();
  await until(
    () => dropped(reason) >= before + count,
    `${count} dropped as ${reason}, not ${dropped(reason) - before}`,
  );
  expect(dropped(reason)).toBe(before + count);
}
export const toVoice = () => ({ host: '127.0.0.1', port: voice.port });
